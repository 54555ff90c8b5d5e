"""The parts of a dashboard: curves over time, and the PromQL that several of them share."""

from dataclasses import dataclass

CHOSEN = '{camera="$camera"}'
"""The camera that the viewer chose."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Curves over time. `queries`: legend -> PromQL; `{{label}}` in a legend stands for the label's value."""

    title: str
    about: str
    unit: str
    """One of Grafana's names of units: `s`, `bytes`, `reqps`, `percentunit`, `short`."""
    queries: dict[str, str]


@dataclass(frozen=True, slots=True)
class GrafanaBoard:
    name: str
    title: str
    panels: tuple[Panel, ...]
    by_camera: bool = False
    """The viewer chooses the camera."""


def quantile(metric: str, part: float, by: str = "le") -> str:
    return f"histogram_quantile({part}, sum by ({by}) (rate({metric}_bucket[5m])))"


def p50_p99(metric: str) -> dict[str, str]:
    return {"p50": quantile(metric, 0.5), "p99": quantile(metric, 0.99)}


def recent(metric: str, by: str, chosen: str = "") -> str:
    """How much a counter grew within five minutes."""
    return f"sum by ({by}) (increase({metric}{chosen}[5m]))"
