"""The line's state as one word, and since when. Pure.

From the worst to the best, the first that holds:

- `stop`: a critical alarm is active, or was raised and nobody has acknowledged it.
- `blind`: nobody can say how the line is. Nothing is known of any camera that should deliver, or no camera should,
  or the alarms can't be read.
- `attention`: any other alarm is active or not acknowledged, or a camera is blind, at fault or abnormal.
- `runs`: none of these. Every camera delivers, its pictures are inspected, and nothing waits for a person.

Shelved alarms, alarms out of service and disabled cameras count for nothing: a person has decided so.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Literal

from andon.messages import Severity
from sinks.board.tiles import Tile

Word = Literal["stop", "blind", "attention", "runs"]
SYMBOLS: Mapping[Word, str] = MappingProxyType({"stop": "■", "blind": "◌", "attention": "▲", "runs": "●"})


@dataclass(frozen=True, slots=True)
class BoardAlarm:
    """An alarm that is active, or that nobody has acknowledged, as far as the line's state needs it."""

    severity: Severity
    since: datetime


@dataclass(frozen=True, slots=True)
class LineObservation:
    """What the board knows at one moment."""

    tiles: Sequence[Tile]
    alarms: Sequence[BoardAlarm] | None
    """None: the store does not answer, so nobody knows."""
    at: datetime


@dataclass(frozen=True, slots=True)
class LineState:
    word: Word
    since: datetime
    """When the word began to hold, or, where it held before the board started, when its oldest cause began."""

    @property
    def symbol(self) -> str:
        return SYMBOLS[self.word]


def line_state(observed: LineObservation, before: LineState | None) -> LineState:
    """The line's state now. `before`: as it was when the board last looked; None: it has just started."""
    word, began = _word(observed)
    if before is not None and before.word == word:
        return before
    if before is not None:
        return LineState(word, observed.at)
    return LineState(word, min(observed.at, began or observed.at))


def _word(observed: LineObservation) -> tuple[Word, datetime | None]:
    """The word, and since when it holds as far as the facts themselves say."""
    alarms, expected = observed.alarms, [tile for tile in observed.tiles if tile.kind != "off"]
    critical = [alarm.since for alarm in alarms or () if alarm.severity == "critical"]
    if critical:
        return "stop", min(critical)
    if alarms is None or all(tile.kind == "blind" for tile in expected):
        return "blind", None
    causes = [alarm.since for alarm in alarms] + [tile.since for tile in expected if tile.kind != "normal"]
    if causes:
        return "attention", min(_known(causes), default=None)
    return "runs", max(_known(tile.since for tile in expected), default=None)


def _known(moments: Iterable[datetime | None]) -> Iterable[datetime]:
    return (moment for moment in moments if moment is not None)
