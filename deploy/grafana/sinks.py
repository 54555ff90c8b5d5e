"""Sinks, alerts and traces."""

from deploy.grafana.panel import GrafanaBoard, Panel, p50_p99, quantile

BOARD = GrafanaBoard(
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
            "Alarms that stand",
            "By state; `unacknowledged` and `returned` wait for an operator.",
            "short",
            {"{{state}} {{severity}}": "sum by (state, severity) (andon_sinks_alarms_standing)"},
        ),
        Panel(
            "Steps of alarms",
            "Within ten minutes. More than ten that are raised are more than one operator can handle (ISA-18.2).",
            "short",
            {"{{change}}": "sum by (change) (increase(andon_sinks_alarms_total[10m]))"},
        ),
        Panel(
            "Trace spans",
            "Taken by the collector, and dropped because it is away or too slow; empty without tracing.",
            "reqps",
            {
                "taken": "sum(rate(andon_traces_spans_sent_total[1m]))",
                "dropped": "sum(rate(andon_traces_spans_dropped_total[1m]))",
            },
        ),
        Panel(
            "Delivered again",
            "Records that the ledger knew already; they changed nothing.",
            "reqps",
            {"records": "sum(rate(andon_sinks_records_redelivered_total[1m]))"},
        ),
    ),
)
