"""The board: who looks, how fast its pages are, and whether its news come."""

from deploy.grafana.panel import GrafanaBoard, Panel, quantile

BOARD = GrafanaBoard(
    "board",
    "Andon: the board",
    (
        Panel("Viewers", "Open pages that get news.", "short", {"viewers": "sum(andon_board_viewers)"}),
        Panel(
            "Pages",
            "From a request to the first byte; 95 of 100 are faster.",
            "s",
            {"{{page}}": quantile("andon_board_page_seconds", 0.95, "le, page")},
        ),
        Panel(
            "News",
            "Messages, each once for all viewers.",
            "reqps",
            {"{{topic}}": "sum by (topic) (rate(andon_board_news_total[1m]))"},
        ),
        Panel(
            "Sources that are away",
            "1 while the board can't read its news there.",
            "short",
            {"{{source}}": "max by (source) (andon_board_news_fault)"},
        ),
        Panel(
            "Failures",
            "Pages that failed, viewers that were cut off and log-ins that were refused, within five minutes.",
            "short",
            {
                "failed {{page}}": "sum by (page) (increase(andon_board_failures_total[5m]))",
                "viewers cut off": "sum(increase(andon_board_viewers_cut_off_total[5m]))",
                "log-ins refused": "sum(increase(andon_board_logins_refused_total[5m]))",
            },
        ),
    ),
)
