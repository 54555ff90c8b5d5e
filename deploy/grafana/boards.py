"""What the dashboards show: their panels and the PromQL of each curve.

They read the recording rules of `deploy/prometheus/rules.yaml` where there is one.
"""

from deploy.grafana.panel import CHOSEN, Board, Panel, p50_p99, quantile, recent

BOARDS = (
    Board(
        "line",
        "Andon: the line",
        (
            Panel(
                "Frames captured",
                "What each camera delivers.",
                "reqps",
                {"{{camera}}": "andon:frames_captured:rate1m"},
            ),
            Panel(
                "Frames inspected",
                "Should equal what is captured; less is a backlog, see the dashboard on backpressure.",
                "reqps",
                {"{{camera}}": "andon:frames_inspected:rate1m"},
            ),
            Panel(
                "Capture to inspection",
                "Half of the frames are faster than the lower curve, 99 of 100 than the upper one.",
                "s",
                {
                    "p50": "andon:capture_to_inspection_seconds:p50_5m",
                    "p99": "andon:capture_to_inspection_seconds:p99_5m",
                },
            ),
            Panel(
                "Capture to alert",
                "From the frame that confirmed a defect to the channel's acknowledgement.",
                "s",
                {"p99": "andon:capture_to_alert_seconds:p99_5m"},
            ),
            Panel(
                "Cameras online",
                "1 while the camera delivers frames.",
                "short",
                {"{{camera}}": "min by (camera) (andon_ingest_camera_online)"},
            ),
            Panel(
                "Defects",
                "Defects that opened within the last hour.",
                "short",
                {"{{camera}}": 'sum by (camera) (increase(andon_sinks_defects_total{transition="opened"}[1h]))'},
            ),
            Panel(
                "Frames without an inspection",
                "Shed or in quarantine, by reason. Each is in the account.",
                "short",
                {
                    "ingest, {{reason}}": recent("andon_ingest_frames_shed_total", "reason"),
                    "workers, {{reason}}": recent("andon_workers_frames_shed_total", "reason"),
                    "quarantine, {{reason}}": recent("andon_stage_records_quarantined_total", "reason"),
                },
            ),
            Panel(
                "Alerts that fire",
                "The rules that hold now.",
                "short",
                {"{{alertname}}": "sum by (alertname) (ALERTS)"},
            ),
        ),
    ),
    Board(
        "backpressure",
        "Andon: backpressure",
        (
            Panel(
                "Lag in records",
                "Records between the broker's end and what is read.",
                "short",
                {"{{stage}}": "andon:stage_lag_records:sum"},
            ),
            Panel(
                "Lag in seconds",
                "Age of the record that is read now, of the partition that is furthest behind.",
                "s",
                {"{{stage}}": "andon:stage_lag_seconds:max"},
            ),
            Panel(
                "Service to arrival",
                "Below 1 the lag grows, above 1 it shrinks.",
                "short",
                {"{{stage}}": "min by (stage) (andon_stage_service_to_arrival_ratio)"},
            ),
            Panel(
                "Records in flight",
                "Share of the bound; at 1 the stage holds its partitions back.",
                "percentunit",
                {"{{stage}}": "andon:stage_busy:ratio"},
            ),
            Panel(
                "Held back",
                "Share of the time that partitions were held back.",
                "percentunit",
                {"{{stage}}": "sum by (stage) (rate(andon_stage_paused_seconds_total[1m]))"},
            ),
            Panel(
                "Stalled",
                "Time for which work waits and none gets done.",
                "s",
                {"{{camera}}{{stage}}{{channel}}": "max by (camera, stage, channel) (andon:stalled_seconds)"},
            ),
            Panel(
                "Frames before the broker",
                "In memory, as a share of the mailbox.",
                "percentunit",
                {
                    "{{camera}}": "max by (camera) "
                    "(andon_ingest_mailbox_depth_frames / andon_ingest_mailbox_capacity_frames)"
                },
            ),
            Panel(
                "Spool",
                "Share of the spool on disk.",
                "percentunit",
                {"{{camera}}": "max by (camera) (andon:spool_fill:ratio)"},
            ),
            Panel(
                "Publish",
                "From the queue to the broker's acknowledgement.",
                "s",
                p50_p99("andon_ingest_publish_seconds"),
            ),
        ),
    ),
    Board(
        "camera",
        "Andon: one camera",
        (
            Panel(
                "Frames",
                "Captured, acknowledged by the broker, inspected.",
                "reqps",
                {
                    "captured": 'sum(rate(andon_ingest_frames_captured_total{camera="$camera"}[1m]))',
                    "published": 'sum(rate(andon_ingest_frames_published_total{camera="$camera"}[1m]))',
                    "inspected": 'sum(rate(andon_workers_frames_inspected_total{camera="$camera"}[1m]))',
                },
            ),
            Panel(
                "Rate",
                "Frames a second by the ingester.",
                "hertz",
                {"fps": 'max(andon_ingest_camera_fps_hertz{camera="$camera"})'},
            ),
            Panel(
                "Condition",
                "1 while it is so.",
                "short",
                {
                    "online": 'min(andon_ingest_camera_online{camera="$camera"})',
                    "{{reason}}": 'max by (reason) (andon_ingest_camera_unhealthy{camera="$camera"})',
                },
            ),
            Panel(
                "Faults",
                "Frames within five minutes.",
                "short",
                {
                    "corrupt": recent("andon_ingest_frames_corrupt_total", "camera", CHOSEN),
                    "shed, {{reason}}": recent("andon_ingest_frames_shed_total", "reason", CHOSEN),
                    "quarantine, {{reason}}": recent("andon_stage_records_quarantined_total", "reason", CHOSEN),
                },
            ),
            Panel(
                "Defects",
                "By transition, within the last hour.",
                "short",
                {"{{transition}}": 'sum by (transition) (increase(andon_sinks_defects_total{camera="$camera"}[1h]))'},
            ),
            Panel(
                "Queue and spool",
                "Frames in memory, records on disk.",
                "short",
                {
                    "memory": 'sum(andon_ingest_mailbox_depth_frames{camera="$camera"})',
                    "disk": 'sum(andon_ingest_spool_depth_records{camera="$camera"})',
                },
            ),
        ),
        by_camera=True,
    ),
    Board(
        "workers",
        "Andon: workers",
        (
            Panel(
                "Inspections",
                "By worker.",
                "reqps",
                {"{{instance}}": "sum by (instance) (rate(andon_workers_frames_inspected_total[1m]))"},
            ),
            Panel(
                "Frames in a batch", "The mean; larger under load.", "short", {"mean": "andon:batch_size_frames:mean5m"}
            ),
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
    ),
    Board(
        "sinks",
        "Andon: sinks and alerts",
        (
            Panel(
                "Records accounted",
                "By sink.",
                "reqps",
                {"{{instance}}": "rate(andon_sinks_records_accounted_total[1m])"},
            ),
            Panel(
                "Transactions",
                "Of one batch, in the store.",
                "s",
                p50_p99("andon_sinks_transaction_seconds"),
            ),
            Panel(
                "Alerts that wait",
                "By channel.",
                "short",
                {"{{channel}}": "sum by (channel) (andon_sinks_outbox_depth_records)"},
            ),
            Panel(
                "Oldest alert that waits",
                "By channel.",
                "s",
                {"{{channel}}": "max by (channel) (andon_sinks_outbox_age_seconds)"},
            ),
            Panel(
                "Writes to channels",
                "99 of 100 are faster.",
                "s",
                {"{{channel}}": quantile("andon_sinks_write_seconds", 0.99, "le, channel")},
            ),
            Panel(
                "Writes that failed",
                "Within five minutes; each is tried again.",
                "short",
                {"{{channel}}": "sum by (channel) (increase(andon_sinks_write_failures_total[5m]))"},
            ),
            Panel(
                "Verdicts on parts",
                "Within the last hour.",
                "short",
                {"{{verdict}}": "sum by (verdict) (increase(andon_sinks_parts_total[1h]))"},
            ),
            Panel(
                "Delivered again",
                "Records that the ledger knew already; they changed nothing.",
                "reqps",
                {"records": "sum(rate(andon_sinks_records_redelivered_total[1m]))"},
            ),
        ),
    ),
)
