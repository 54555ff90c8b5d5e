"""How many cores a load keeps busy: by process, and by work that has nothing to do with the run."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from deploy.local import cpu

OWN, OTHER = "bench", "other work"
BUSY = ("user", "nice", "system", "irq", "softirq", "steal")
"""What psutil counts a core's time as while it is not idle. Some systems lack the last ones."""


@dataclass(frozen=True, slots=True)
class Reading:
    """CPU seconds so far."""

    processes: cpu.Mark
    own_s: float
    """Of this process, whose consumers read what the line publishes."""
    machine_s: float
    """Of all processes together."""


def read(pids: Mapping[str, int]) -> Reading:
    """A reading of this moment. Raises psutil.NoSuchProcess if one of the processes has ended."""
    times = psutil.cpu_times()
    return Reading(cpu.mark(pids, {}), time.process_time(), sum(getattr(times, kind, 0.0) for kind in BUSY))


def busy_cores(first: Reading, last: Reading) -> dict[str, float]:
    """The cores that each process kept busy between two readings; then OWN, and OTHER for the rest of the machine."""
    span = cpu.between(first.processes, last.processes)
    spent_s = {**span.cpu_s, OWN: last.own_s - first.own_s}
    spent_s[OTHER] = max(0.0, last.machine_s - first.machine_s - sum(spent_s.values()))
    return {name: seconds / span.wall_s for name, seconds in spent_s.items()}
