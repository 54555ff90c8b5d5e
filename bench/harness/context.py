"""What every measurement is given: servers, a folder, how long and how often."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from bench.harness.servers import Servers


@dataclass(frozen=True, slots=True)
class Room:
    """One run's. A measurement is a module of bench with `measure(room: Room) -> Findings`."""

    folder: Path
    """Absolute; thrown away after the run."""
    servers: Servers
    quick: bool
    """Only to see that it works: what it measures says nothing."""
    say: Callable[[str], None]
    """Tells people how far it is, in one line."""
    found: dict[str, Any] = field(default_factory=dict)
    """The figures of the measurements before, by their names: `found["line"]["frames_per_s"]`."""
    arguments: frozenset[str] = frozenset()
    """What the command line asked for besides, as `roboflow`."""
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    @property
    def rounds(self) -> int:
        return 1 if self.quick else 3

    @property
    def span_s(self) -> float:
        """Of steady work, for each contender and round."""
        return 3.0 if self.quick else 6.0

    @property
    def warm_s(self) -> float:
        """Before it."""
        return 1.0 if self.quick else 1.5

    def new_folder(self, name: str) -> Path:
        """One that nobody has used."""
        folder = self.folder / f"{name}-{next(self._numbers)}"
        folder.mkdir(parents=True)
        return folder
