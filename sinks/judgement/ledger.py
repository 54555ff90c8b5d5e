"""The account of one capture session: every captured frame has exactly one outcome.

Each outcome's frame numbers are kept in a roaring bitmap: a redelivery changes nothing, and hours of frames without a
gap take some tens of bytes. A camera's records stay in order. So a number that is missing below the highest one
accounted for is lost; above it, it is in flight until the session ends.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Literal, Self

from pyroaring import BitMap

from andon.messages import Outcome
from sinks.judgement.tally import Sums, Tally

SessionEnd = Literal["final", "superseded"]
UNPROVEN = "quarantined/unproven"
"""What becomes of a frame in the middle of a group for a worker that takes over there. No second outcome: such frames
were accounted for before, or they are unproven."""
MAX_NUMBERS = 2**32
"""Numbers that a bitmap can hold; a status may name a higher number of captured frames."""
EMPTY_BITMAP = base64.b85encode(BitMap().serialize()).decode()
"""An empty bitmap as it is stored."""
LostReason = Literal["missing", "ingester_died", "log_lost", "expired"]


class SessionLedger:
    """One session's account, changed in place. Numbers have 32 bits, as `messages.Seq` says."""

    def __init__(self) -> None:
        self._sets: dict[str, BitMap] = {}
        self._all = BitMap()
        self._captured = 0
        self._log_floor = 0
        self._expired = BitMap()
        self._later = BitMap()
        """Numbers that are announced to follow: those of frames which stand before others and are shown after them."""
        self._redelivered = 0
        self._conflicts = 0
        self._captured_twice = 0
        self.ended: SessionEnd | None = None

    @property
    def captured(self) -> int:
        """The number of captured frames, as far as any record shows: their numbers are 0 to captured - 1."""
        return max(self._captured, self._next, self._gone, self._log_floor)

    @property
    def accounted_through(self) -> int:
        """The number after the highest one that has an outcome."""
        return self._next

    @property
    def _next(self) -> int:
        return int(self._all.max()) + 1 if self._all else 0

    def add(self, first_seq: int, last_seq: int, outcome: Outcome, reason: str | None) -> int:
        """Account for a range of numbers, both ends included. Returns how many of them are new."""
        key = outcome if reason is None else f"{outcome}/{reason}"
        self._later.remove_range(first_seq, last_seq + 1)
        if not self._all.range_cardinality(first_seq, last_seq + 1):  # the usual case: all of them are new
            for numbers in (self._sets.setdefault(key, BitMap()), self._all):
                numbers.add_range(first_seq, last_seq + 1)
            return last_seq + 1 - first_seq
        own = self._sets.get(key, BitMap())
        new = BitMap()
        new.add_range(first_seq, last_seq + 1)
        again = new & self._all
        same = len(again) if key == UNPROVEN else len(again & own)
        self._redelivered += same
        self._conflicts += len(again) - same
        new -= again
        if new:
            self._sets[key] = own | new
            self._all |= new
        return len(new)

    def expect(self, numbers: Iterable[int]) -> None:
        """These numbers, below the highest one accounted for, are still to come: they are in flight, and not lost."""
        self._later |= BitMap(numbers) - self._all

    def saw_captured(self, captured: int) -> None:
        """A status said how many frames the camera has delivered in this session."""
        self._captured = max(self._captured, captured)

    def count_twice(self, frames: int) -> None:
        """Another ingester had the camera already when these were captured."""
        self._captured_twice += frames

    def end(self, how: SessionEnd) -> None:
        """The session is over. `final` replaces `superseded`: a final status says that all frames stand in the log."""
        if self.ended != "final":
            self.ended = how

    def lose_log(self, below: int) -> None:
        """Numbers below this that are not accounted for are gone with the log."""
        self._log_floor = max(self._log_floor, min(below, MAX_NUMBERS))

    def expire(self, below: int) -> int:
        """Numbers below this that are not accounted for had left the log unread. Returns how many they are."""
        before = len(self._expired)
        self._expired.add_range(0, min(below, MAX_NUMBERS))
        self._expired -= self._all
        return len(self._expired) - before

    def tally(self) -> Tally:
        counts = {key: len(numbers) for key, numbers in self._sets.items()}
        return Tally(
            captured=self.captured,
            inspected=counts.pop("inspected", 0),
            shed=_by_reason(counts, "shed"),
            quarantined=_by_reason(counts, "quarantined"),
            lost=self._lost(),
            in_flight=self._tail + len(self._awaited) if self.ended is None else 0,
            redelivered=self._redelivered,
            conflicts=self._conflicts,
            duplicates=sum(len(numbers) for numbers in self._sets.values()) - len(self._all),
            captured_twice=self._captured_twice,
        )

    def sums(self) -> Sums:
        """The counts of `tally`, added up. It needs no reasons: a number without an outcome is lost."""
        captured = self.captured
        ended = captured if self.ended is not None else self._end
        by_outcome = {"shed": 0, "quarantined": 0, "inspected": 0}
        for key, numbers in self._sets.items():
            by_outcome[key.partition("/")[0]] += len(numbers)
        return Sums(captured, ended - len(self._all) - len(self._awaited), **by_outcome)

    @property
    def _tail(self) -> int:
        """The count of numbers above all that are accounted for, and above all that went with the log."""
        return self.captured - self._end

    @property
    def _awaited(self) -> BitMap:
        """Numbers below others that are still to come. None of them once the session has ended."""
        if not self._later or self.ended is not None:
            return BitMap()
        awaited = self._later - self._expired
        awaited.remove_range(0, self._log_floor)
        awaited.remove_range(self._next, MAX_NUMBERS)
        return awaited

    @property
    def _gone(self) -> int:
        """The number after the last one that expired."""
        return int(self._expired.max()) + 1 if self._expired else 0

    @property
    def _end(self) -> int:
        return max(self._next, self._log_floor, self._gone)

    def _lost(self) -> dict[str, int]:
        end, floor = self._end, self._log_floor
        known = self._all | self._expired
        with_log = floor - known.range_cardinality(0, floor)
        missing = (end - floor) - known.range_cardinality(floor, end) - len(self._awaited)
        expired = len(self._expired - self._all)  # an expired frame that came late after all is accounted for
        lost: dict[LostReason, int] = {"log_lost": with_log, "expired": expired, "missing": missing}
        if self.ended == "final":
            lost["missing"] += self._tail
        elif self.ended == "superseded":
            lost["ingester_died"] = self._tail
        return {reason: count for reason, count in lost.items() if count}

    def to_bytes(self) -> bytes:
        """JSON that `from_bytes` reads; the same account gives the same bytes."""
        twice = {"twice": self._captured_twice} if self._captured_twice else {}
        later = {"later": _packed(self._later)} if self._later else {}
        return json.dumps(
            {
                "captured": self._captured,
                "log_floor": self._log_floor,
                "expired": _packed(self._expired),
                "redelivered": self._redelivered,
                "conflicts": self._conflicts,
                "ended": self.ended,
                "sets": {key: _packed(numbers) for key, numbers in sorted(self._sets.items())},
                **twice,
                **later,
            },
            separators=(",", ":"),
        ).encode()

    @classmethod
    def from_bytes(cls, stored: bytes) -> Self:
        ledger = cls()
        values = json.loads(stored)
        ledger._captured = values["captured"]
        ledger._log_floor = values["log_floor"]
        if "expired" in values:  # ledgers stored by early versions lack it
            ledger._expired = BitMap.deserialize(base64.b85decode(values["expired"]))
        ledger._redelivered = values["redelivered"]
        ledger._conflicts = values["conflicts"]
        ledger._captured_twice = values.get("twice", 0)
        if "later" in values:
            ledger._later = BitMap.deserialize(base64.b85decode(values["later"]))
        ledger.ended = values["ended"]
        for key, packed in values["sets"].items():
            ledger._sets[key] = BitMap.deserialize(base64.b85decode(packed))
            ledger._all |= ledger._sets[key]
        return ledger

    @classmethod
    def joined(cls, parts: Iterable["SessionLedger"]) -> Self:
        """One account of a session whose camera moved between partitions; each part holds only its own records."""
        whole = cls()
        for part in parts:
            whole._captured = max(whole._captured, part._captured)
            whole._log_floor = max(whole._log_floor, part._log_floor)
            whole._expired |= part._expired
            whole._redelivered += part._redelivered
            whole._conflicts += part._conflicts
            whole._captured_twice += part._captured_twice
            if part.ended is not None:
                whole.end(part.ended)
            for key, numbers in part._sets.items():
                whole._sets[key] = whole._sets.get(key, BitMap()) | numbers
            whole._all |= part._all
            whole._later |= part._later
        whole._later -= whole._all
        return whole


class PrunedLedger(SessionLedger):
    """Stands in for the account of a session that was pruned: closed, empty, and nothing changes it any more."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = "final"

    def add(self, first_seq: int, last_seq: int, outcome: Outcome, reason: str | None) -> int:
        """Nothing of it is new."""
        return 0

    def expect(self, numbers: Iterable[int]) -> None:
        """Nothing of it is awaited."""

    def count_twice(self, frames: int) -> None:
        """It is counted no more."""

    def saw_captured(self, captured: int) -> None:
        """The totals of the session are kept elsewhere."""

    def expire(self, below: int) -> int:
        """Nothing of it is awaited."""
        return 0

    def lose_log(self, below: int) -> None:
        """Nothing of it is awaited."""


def _by_reason(counts: Mapping[str, int], outcome: Outcome) -> dict[str, int]:
    prefix = f"{outcome}/"
    return {
        key.removeprefix(prefix): count for key, count in sorted(counts.items()) if key.startswith(prefix) and count
    }


def _packed(numbers: BitMap) -> str:
    if not numbers:
        return EMPTY_BITMAP
    compact = BitMap(numbers)
    compact.run_optimize()
    return base64.b85encode(compact.serialize()).decode()
