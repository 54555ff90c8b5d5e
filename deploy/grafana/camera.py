"""One camera, which the viewer chooses."""

from deploy.grafana.panel import CHOSEN, GrafanaBoard, Panel, recent

BOARD = GrafanaBoard(
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
                "with a gap": recent("andon_ingest_frames_with_gap_total", "camera", CHOSEN),
                "too large": recent("andon_ingest_frames_too_large_total", "camera", CHOSEN),
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
            "Spool in trouble",
            "Within five minutes: it became full or its disk failed; a part of it could not be read.",
            "short",
            {
                "full or failed": recent("andon_ingest_spool_failures_total", "camera", CHOSEN),
                "damaged": recent("andon_ingest_spool_damages_total", "camera", CHOSEN),
            },
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
)
