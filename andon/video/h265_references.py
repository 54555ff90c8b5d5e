"""Which pictures an H.265 picture refers to: its reference picture set (ITU-T H.265, 7.3.7 and 7.4.8). Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from andon.video.units import Bits, MalformedError

MOST = 16
"""Pictures that can be kept for reference."""


@dataclass(frozen=True, slots=True)
class References:
    """Differences to this picture's order count, each with whether this picture itself uses it (later ones may)."""

    earlier: tuple[tuple[int, bool], ...]
    """The nearest first."""
    later: tuple[tuple[int, bool], ...]

    @property
    def all(self) -> tuple[tuple[int, bool], ...]:
        return self.earlier + self.later


NOTHING = References((), ())


def references(bits: Bits, sets: Sequence[References], *, in_slice: bool) -> References:
    """The next set. `sets`: those of the sequence so far; in a slice all. Raises MalformedError."""
    if sets and bits.flag():
        back = bits.unsigned(len(sets) - 1) + 1 if in_slice else 1
        return _derived(bits, sets[len(sets) - back])
    earlier_count, later_count = bits.unsigned(MOST), bits.unsigned(MOST)
    return References(_listed(bits, earlier_count, -1), _listed(bits, later_count, 1))


def _listed(bits: Bits, count: int, sign: int) -> tuple[tuple[int, bool], ...]:
    out, at = [], 0
    for _ in range(count):
        at += sign * (bits.unsigned(1 << 15) + 1)
        out.append((at, bits.flag()))
    return tuple(out)


def _derived(bits: Bits, base: References) -> References:
    """From another set, by moving it (7-61, 7-62)."""
    backwards = bits.flag()
    step = (bits.unsigned(1 << 15) + 1) * (-1 if backwards else 1)
    moved = []
    for at in [*(at for at, _ in base.all), 0]:
        used = bits.flag()
        if used or bits.flag():
            moved.append((at + step, used))
    earlier = sorted((item for item in moved if item[0] < 0), reverse=True)
    later = sorted(item for item in moved if item[0] > 0)
    if len(earlier) + len(later) > MOST:
        raise MalformedError("it refers to more pictures than can be kept")
    return References(tuple(earlier), tuple(later))
