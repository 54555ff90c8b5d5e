"""The number of processor cores that this process may use: a container or `taskset` may allow fewer than there are."""

import os
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def cores(cgroups: Path = CGROUPS, membership: Path = MEMBERSHIP) -> int:
    """At least 1. A quota of a control group counts as that many cores, rounded up.

    Source: Linux, "Control Group v2" (`cpu.max`) and "CFS Bandwidth Control" (`cpu.cfs_quota_us`, version 1).
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([allowed, *_quotas(cgroups, membership)]))


def _quotas(cgroups: Path, membership: Path) -> Iterator[int]:
    """Each quota that applies: a group's own and those of the groups around it."""
    try:
        groups = [line.split(":", 2) for line in membership.read_text(encoding="ascii").splitlines()]
    except (OSError, UnicodeDecodeError):
        return  # not Linux
    for _, controllers, path in groups:
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = cgroups / controllers if controllers else cgroups
        group = root / path.lstrip("/")
        for folder in (group, *group.parents):
            quota = _quota(folder)
            if quota is not None:
                yield quota
            if folder in (root, folder.parent):
                break


def _quota(folder: Path) -> int | None:
    """The cores that one group may use. None: no limit."""
    try:
        if (folder / "cpu.max").is_file():
            quota_us, period_us = (folder / "cpu.max").read_text(encoding="ascii").split()
        else:
            quota_us, period_us = (
                (folder / name).read_text(encoding="ascii").strip()
                for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            )
        return None if quota_us in ("max", "-1") else -(-int(quota_us) // int(period_us))
    except (OSError, ValueError, ZeroDivisionError):
        return None
