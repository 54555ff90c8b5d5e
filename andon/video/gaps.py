"""Finds out by a stream's own numbers whether pictures are missing that later ones refer to. Pure.

A decoder makes up what is missing, and says nothing. H.264 counts its reference pictures (`frame_num`, 7.4.3); each
H.265 picture names those that it refers to (8.3.2).
"""

from andon.video.access_unit import AccessUnit

NOWHERE = -(1 << 40)
"""Below every picture order count."""


class UnitGaps:
    """One stream's. Takes every access unit in the stream's order."""

    def __init__(self) -> None:
        self._frame_num: int | None = None
        """H.264: of the last reference picture."""
        self._base: int | None = None
        """H.265: the picture order count of the last picture of the lowest layer."""
        self._held: set[int] | None = None
        """H.265: the picture order counts of those that may be referred to. None: they are not known yet."""

    def lost(self) -> None:
        """A unit could not be read: what it was is not known."""
        self._frame_num, self._held = None, None

    def before(self, unit: AccessUnit) -> str | None:
        """The gap before this unit, in one line; None: it needs nothing that is missing, as far as the numbers say."""
        if not unit.slices:
            return None
        return self._h264(unit) if unit.kind == "h264" else self._h265(unit)

    def _h264(self, unit: AccessUnit) -> str | None:
        last, now = self._frame_num, unit.frame_num
        if now is None:
            return None
        begins = unit.random_access != "none" and not unit.recovery
        fits = last is None or begins or now in (last, (last + 1) % unit.max_frame_num)
        if unit.reference or not fits:
            self._frame_num = now
        return None if fits else f"its frame_num is {now}, that of the picture before is {last}"

    def _h265(self, unit: AccessUnit) -> str | None:
        count, held = self._order_count(unit), self._held
        kept = {count + step for step in unit.kept or ()} | self._long(unit, count, used_only=False)
        if unit.random_access in ("idr", "bla"):
            self._held, missing = {count}, set[int]()
        else:
            self._held = {count} | (kept if held is None else kept & held)
            used = {count + step for step in unit.used or ()} | self._long(unit, count, used_only=True)
            missing = set() if held is None or unit.random_access == "cra" else used - held
        return f"{len(missing)} of the pictures that it refers to are missing" if missing else None

    def _order_count(self, unit: AccessUnit) -> int:
        """The picture order count (8.3.1)."""
        lsb, size = unit.poc_lsb or 0, max(1, unit.max_poc_lsb)
        before = self._base
        if before is None or unit.random_access in ("idr", "bla"):
            count = lsb
        else:
            count = before - before % size + lsb
            if before - count >= size // 2:
                count += size
            elif count - before > size // 2:
                count -= size
        if unit.random_access != "none" or (unit.temporal_id == 0 and unit.reference and unit.leading == "none"):
            self._base = count
        return count

    def _long(self, unit: AccessUnit, count: int, *, used_only: bool) -> set[int]:
        """The picture order counts of its long-term pictures."""
        chosen = [item for item in unit.long_term if item.used or not used_only]
        whole = {count - item.number for item in chosen if not item.lower_part}
        lower = {item.number for item in chosen if item.lower_part}
        held = self._held or set()
        found = {at for at in held if at % max(1, unit.max_poc_lsb) in lower}
        missing = lower - {at % max(1, unit.max_poc_lsb) for at in found}
        return whole | found | {NOWHERE - number for number in missing}
