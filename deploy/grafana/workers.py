"""Workers and GPUs."""

from deploy.grafana.panel import GrafanaBoard, Panel, quantile

BOARD = GrafanaBoard(
    "workers",
    "Andon: workers",
    (
        Panel(
            "Processes",
            "That answer, by role: `andon up --workers 1..4` or KEDA changes the number of workers.",
            "short",
            {"{{role}}": "count by (role) (andon_process_info)"},
        ),
        Panel(
            "Inspections",
            "By worker.",
            "reqps",
            {"{{instance}}": "sum by (instance) (rate(andon_workers_frames_inspected_total[1m]))"},
        ),
        Panel("Frames in a batch", "The mean; larger under load.", "short", {"mean": "andon:batch_size_frames:mean5m"}),
        Panel(
            "Inference of a batch",
            "By runtime.",
            "s",
            {
                "p50 {{runtime}}": quantile("andon_workers_inference_seconds", 0.5, "le, runtime"),
                "p99 {{runtime}}": quantile("andon_workers_inference_seconds", 0.99, "le, runtime"),
            },
        ),
        Panel(
            "Wait for the batch",
            "From its first frame until it closes.",
            "s",
            {"p99": quantile("andon_workers_batch_wait_seconds", 0.99)},
        ),
        Panel("Decoding", "Of one picture.", "s", {"p99": quantile("andon_workers_decode_seconds", 0.99)}),
        Panel(
            "CPU for 1000 inspections",
            "CPU seconds of each role's processes, whatever their speed. The broker and Redis are not in it.",
            "s",
            {"{{role}}": "andon:cpu_seconds_per_1000_inspections:rate5m"},
        ),
        Panel(
            "GPU energy for 1000 inspections",
            "In joules, idle times included; empty without an NVIDIA GPU.",
            "joule",
            {"GPU": "andon:gpu_joules_per_1000_inspections:rate5m"},
        ),
        Panel(
            "Cameras past the quarantine limit",
            "1 while most of the camera's pictures can't be read.",
            "short",
            {"{{camera}}": "max by (camera) (andon_workers_camera_refused)"},
        ),
    ),
)
