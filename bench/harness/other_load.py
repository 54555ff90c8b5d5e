"""What else runs on the machine just before a contender starts."""

import psutil

SPAN_S = 0.3


def busy_cores(span_s: float = SPAN_S) -> float:
    """Cores that are busy on average over the span; the load average would still show the contender before. Blocks."""
    return float(round(sum(psutil.cpu_percent(span_s, percpu=True)) / 100, 2))
