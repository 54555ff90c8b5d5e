"""The line overview: is all well?"""

from deploy.grafana.panel import GrafanaBoard, Panel, recent

BOARD = GrafanaBoard(
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
            "Cameras by ingester",
            "They move when an ingester comes or goes. Captured twice: frames within five minutes of an ingester that "
            "went on although another one had the camera.",
            "short",
            {
                "{{instance}}": "count by (instance) (andon_ingest_camera_online)",
                "captured twice, {{camera}}": recent("andon_sinks_captured_twice_total", "camera"),
            },
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
)
