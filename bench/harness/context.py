"""What a measurement gets from the run: servers, a folder, and how long and how often to measure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from bench.harness.rounds import Patience, Turns
from bench.harness.servers import Servers

REPEATS_S = 90.0
"""For rounds that scatter, in a whole run."""


@dataclass(frozen=True, slots=True)
class Context:
    """One for each run. A measurement is a module with `measure(context: Context) -> Findings`."""

    folder: Path
    """Absolute. It is removed after the run."""
    servers: Servers
    quick: bool
    """Only shows that the bench works; its figures mean nothing."""
    say: Callable[[str], None]
    """Print one line of progress."""
    figures: dict[str, Any] = field(default_factory=dict)
    """Of the measurements that this run has finished, by name: `figures["line"]["frames_per_s"]`."""
    patience: Patience = field(default_factory=lambda: Patience(REPEATS_S))
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    @property
    def rounds(self) -> int:
        return 1 if self.quick else 3

    def turns(self, most: int | None = None) -> Turns:
        """For contenders that are compared: `rounds`, or `most` where a round takes long."""
        rounds = self.rounds if most is None else min(most, self.rounds)
        return Turns(rounds, self.say, self.patience)

    @property
    def span_s(self) -> float:
        """How long each contender is measured in a round, after the warm-up."""
        return 3.0 if self.quick else 5.0

    @property
    def warm_s(self) -> float:
        """How long each contender works before it is measured."""
        return 1.0 if self.quick else 1.5

    def new_folder(self, name: str) -> Path:
        """Create a folder for one use."""
        folder = self.folder / f"{name}-{next(self._numbers)}"
        folder.mkdir(parents=True)
        return folder
