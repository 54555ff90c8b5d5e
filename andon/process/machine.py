"""What this process may use of the machine: a container or `taskset` may allow less than there is.

Source: Linux, "Control Group v2" (`cpu.max`, `memory.max`), "CFS Bandwidth Control" and "Memory Resource Controller"
(`cpu.cfs_quota_us` and `memory.limit_in_bytes` of version 1).
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Machine:
    """Its files, which a test may put elsewhere."""

    cgroups: Path = Path("/sys/fs/cgroup")
    membership: Path = Path("/proc/self/cgroup")

    def groups(self, controller: str) -> Iterator[Path]:
        """The folders of the control groups that limit this process: its own and those around it."""
        try:
            lines = self.membership.read_text(encoding="ascii").splitlines()
        except (OSError, UnicodeDecodeError):
            return  # not Linux
        for _, controllers, path in (line.split(":", 2) for line in lines):
            if controllers and controller not in controllers.split(","):
                continue
            root = self.cgroups / controllers if controllers else self.cgroups
            folder = root / path.lstrip("/")
            yield folder
            while folder not in (root, folder.parent):
                folder = folder.parent
                yield folder


HERE = Machine()


def cores(machine: Machine = HERE) -> int:
    """The processor cores that this process may use, at least 1. A quota counts as that many cores, rounded up."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [quota for group in machine.groups("cpu") if (quota := _quota(group)) is not None]
    return max(1, min([allowed, *quotas]))


def memory_bytes(machine: Machine = HERE) -> int:
    """The memory that this process may use."""
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    names = ("memory.max", "memory.limit_in_bytes")
    limits = [limit for group in machine.groups("memory") for name in names if (limit := _number(group / name))]
    return min([installed, *limits])


def resident_bytes() -> int:
    """The memory that this process holds now. 0: unknown, because this is not Linux."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _quota(group: Path) -> int | None:
    """The cores that one group may use. None: no limit."""
    try:
        both = (group / "cpu.max").read_text(encoding="ascii").split()
        quota_us, period_us = (int(part) if part.isdecimal() else None for part in both)
    except (OSError, ValueError):
        quota_us, period_us = _number(group / "cpu.cfs_quota_us"), _number(group / "cpu.cfs_period_us")
    return -(-quota_us // period_us) if quota_us and period_us else None


def _number(path: Path) -> int | None:
    """A file's number. None: it has none, or says that there is no limit (`max`, `-1`)."""
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return int(text) if text.isdecimal() else None
