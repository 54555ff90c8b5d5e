"""Collects what is wrong with a line's settings from every installed package, without starting anything.

A package registers its checks as entry points: functions that take the Settings and return the faults, one line each.
A check may also raise ConfigError, for one fault that makes all others pointless.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import entry_points

from andon.errors import AndonError
from andon.settings import Settings

OFFLINE = "andon.checks"
"""The group of checks that look at files and devices of this machine, and at nothing else."""
ONLINE = "andon.online_checks"
"""The group of checks that try cameras and servers. Each has a time limit of its own."""
Check = Callable[[Settings], Iterable[str] | None]


@dataclass(slots=True)
class Findings:
    """`faults`: why the line can't run as it is described, one line each. `skipped`: what could not be checked here."""

    faults: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def findings(settings: Settings, group: str, without: frozenset[str] = frozenset()) -> Findings:
    """Run every check of the group, except those named in `without`. Blocks."""
    found = Findings()
    for entry in sorted(entry_points(group=group), key=lambda entry: entry.name):
        if entry.name in without:
            continue
        try:
            check: Check = entry.load()
            found.faults += check(settings) or ()
        except ModuleNotFoundError as error:  # a host of one role need not have the libraries of the others
            found.skipped.append(f"{entry.name} ({error.name} is not installed here)")
        except AndonError as error:
            found.faults.append(str(error))
    return found
