"""Backpressure: where frames wait, from the camera to the channel."""

from deploy.grafana.panel import GrafanaBoard, Panel, p50_p99, recent

BOARD = GrafanaBoard(
    "backpressure",
    "Andon: backpressure",
    (
        Panel(
            "Where the pressure is",
            "How full each place is, in the order of a frame's way. The last full one is the bottleneck.",
            "percentunit",
            {"{{place}}": "max by (place) (andon:pressure:ratio)"},
        ),
        Panel(
            "Records taken and done",
            "By workers and sinks; the difference is in flight.",
            "reqps",
            {
                "{{stage}} taken": "sum by (stage) (rate(andon_stage_records_total[1m]))",
                "{{stage}} done": "sum by (stage) (rate(andon_stage_records_done_total[1m]))",
            },
        ),
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
            "Oldest frame in the spool",
            "Approximately; it is inspected when it has come to the broker.",
            "s",
            {"{{camera}}": "max by (camera) (andon_ingest_spool_age_seconds)"},
        ),
        Panel(
            "Publish",
            "From the queue to the broker's acknowledgement.",
            "s",
            p50_p99("andon_ingest_publish_seconds"),
        ),
        Panel(
            "Encode",
            "Crop, resize and JPEG encoding of one frame, before the queue.",
            "s",
            p50_p99("andon_ingest_encode_seconds"),
        ),
        Panel(
            "Refusals",
            "Within five minutes: commits and transactions of a partition that has another owner, producers that "
            "the broker refused, records that it has lost.",
            "short",
            {
                "commits, {{stage}}": recent("andon_stage_commits_refused_total", "stage"),
                "transactions": "sum(increase(andon_sinks_writes_refused_total[5m]))",
                "producers": "sum(increase(andon_kafka_producers_replaced_total[5m]))",
                "records lost, {{stage}}": recent("andon_kafka_records_cut_total", "stage"),
            },
        ),
    ),
)
