"""The rule of proof: which access units decode to the camera's own picture, because all that they build on is there.

A decoder that lacks a reference makes its picture up and says nothing. So a unit counts only if its references are
proven: from a random access point on every unit has come, whole and in order. After a loss nothing is proven up to the
next one: an IDR, CRA or BLA picture, or a recovery point, whose message says from which picture on all is right (so a
stream that refreshes itself bit by bit recovers without a keyframe).

A loss shows by what the carrier says (`lose`, `gap`), by a picture without its beginning, and by the stream's own
numbers (`gaps`). Pure. Source: ITU-T H.264, 7.4.3 and D.2.8; H.265, 8.1.3, 8.3.2 and D.3.8.
"""

from dataclasses import dataclass

from andon.video.access_unit import AccessUnit
from andon.video.gaps import UnitGaps

JOINED = "the stream was joined between two keyframes"
LEADING = "it is shown before the keyframe at which decoding began, and may need pictures before that"
RECOVERING = "the stream refreshes itself bit by bit, and is not whole yet"
FIRST = -(1 << 40)
"""Before every picture in the order of presentation."""


@dataclass(frozen=True, slots=True)
class Proof:
    """The proof for one access unit."""

    start: int
    """The unit with which decoding must begin to get this picture, by its number."""
    why_not: str = ""
    """Why it is not proven, in one line. Empty: it is."""
    fed: bool = True
    """The decoder gets it. The picture of a unit that is fed and not proven counts for nothing."""
    restart: bool = False
    """The decoder begins anew with this unit: what it holds back comes out first."""

    @property
    def proven(self) -> bool:
        return not self.why_not


@dataclass(slots=True)
class _Entry:
    """A random access point, and from where on the pictures after it are right."""

    number: int
    order: int
    """Of the first picture from which on all are right, in the order of presentation."""
    gradual: bool
    """Its own picture is not right yet."""
    left: int = 0
    """H.264: reference pictures that must still come before all are right."""
    broken: bool = False
    """Decoding began here. What an H.265 RASL picture needs is missing."""


class ProofOfReferences:
    """Of one camera's units, in the order of the stream. Their numbers grow."""

    def __init__(self) -> None:
        self._lost = JOINED
        """Why nothing is decoded now."""
        self._gaps = UnitGaps()
        self._order = _Order()
        self._began: _Entry | None = None
        """Where decoding began, or could have begun to give the same pictures. None: nothing is decoded."""
        self._next: _Entry | None = None
        """A later random access point that takes its place as soon as the pictures after it are right."""

    @property
    def start(self) -> int | None:
        """The unit with which decoding must begin to go on, by its number. None: it goes on with a later one."""
        return None if self._began is None else self._began.number

    def lose(self, why: str) -> None:
        """Something is missing before the next unit: nothing is proven up to the next random access point."""
        self._lost = why
        self._began = self._next = None
        self._gaps.lost()

    def take(self, unit: AccessUnit, number: int, gap: str = "") -> Proof:
        """The next unit, which holds a picture. `gap`: what is missing before it or in it."""
        missing = self._gaps.before(unit)
        self._order.take(unit)
        if unit.random_access == "recovery" and self._order.counted > 1 and not unit.gaps_allowed:
            self.lose("a picture before the recovery point is missing")  # those that are shown before it may need it
        if gap or not unit.whole_start:
            self.lose(gap or "the beginning of its picture is missing")
        elif unit.random_access in ("idr", "bla") or (self._began is None and _enters(unit)):
            return self._begin(unit, number)
        if self._began is None:
            return Proof(number, self._lost, fed=False)
        if self._began.broken and unit.leading == "rasl":
            return Proof(self._began.number, LEADING, fed=False)
        if missing:
            self.lose(missing)
            return Proof(number, missing, fed=False)
        return self._follow(unit, number, self._began)

    def _begin(self, unit: AccessUnit, number: int) -> Proof:
        self._gaps = UnitGaps()
        self._gaps.before(unit)
        entry = self._began = self._entry(unit, number)
        self._next, entry.broken = None, unit.random_access != "idr"
        return Proof(number, RECOVERING if entry.gradual else "", restart=True)

    def _entry(self, unit: AccessUnit, number: int) -> _Entry:
        order = FIRST if unit.random_access == "idr" else self._order.now
        if not unit.recovery:
            return _Entry(number, order, gradual=False)
        if unit.kind == "h265":
            return _Entry(number, order + unit.recovery, gradual=True)
        return _Entry(number, order, gradual=True, left=unit.recovery)

    def _follow(self, unit: AccessUnit, number: int, began: _Entry) -> Proof:
        """A unit after the one with which decoding began."""
        for entry in (began, self._next):
            if entry is not None and entry.left:
                self._approach(entry)
        began.broken = began.broken and unit.leading != "none"
        if not self._right(began, unit):
            return Proof(began.number, RECOVERING if began.gradual else LEADING, fed=began.gradual)
        if self._next is not None and unit.leading == "none" and self._right(self._next, unit):
            self._began, self._next = self._next, None
        if _enters(unit) and (self._next is None or not unit.recovery):
            self._next = self._entry(unit, number)
        return Proof((self._began or began).number)

    def _approach(self, entry: _Entry) -> None:
        entry.left = max(0, entry.left - self._order.counted)
        if not entry.left:
            entry.order = self._order.now

    def _right(self, entry: _Entry, unit: AccessUnit) -> bool:
        """Whether the unit's picture is right if decoding began at this entry."""
        return unit.leading == "radl" or (not entry.left and self._order.now >= entry.order)


def _enters(unit: AccessUnit) -> bool:
    """Whether decoding can begin with this unit, and becomes exactly that of the whole stream.

    A recovery point that promises no exact match is believed only of a picture that needs no other one.
    """
    if unit.random_access == "recovery":
        return unit.exact or (unit.intra and not unit.recovery)
    return unit.random_access != "none"


class _Order:
    """Where the latest unit's picture stands in the order of presentation, from an arbitrary beginning."""

    def __init__(self) -> None:
        self.now = 0
        self.counted = 0
        """H.264: by how much `frame_num` grew with the latest unit."""
        self._lsb: int | None = None
        self._frame_num: int | None = None
        self._forward = 0
        """Of the latest picture without B slices."""

    def take(self, unit: AccessUnit) -> None:
        if unit.frame_num is not None:
            last, self._frame_num = self._frame_num, unit.frame_num
            self.counted = 0 if last is None else (unit.frame_num - last) % max(1, unit.max_frame_num)
        if unit.poc_lsb is None:  # B pictures come right after the one that is shown after them
            self._forward += not unit.bidirectional
            self.now = self._forward - unit.bidirectional
            return
        size = max(2, unit.max_poc_lsb)
        step = 0 if self._lsb is None else (unit.poc_lsb - self._lsb + size // 2) % size - size // 2
        self._lsb, self.now = unit.poc_lsb, self.now + step
