"""Counts the pictures that an industrial camera took and that never arrived, by the gaps in its frame ids (pure).

Source: GigE Vision 2.0, 24.3: the block id counts from 1; of 16 bits it returns from 65,535 to 1, as 0 is reserved.
USB3 Vision counts from 0 in 64 bits.
"""

WRAP = 65_535
MOST_MISSING = 10_000
"""A larger gap is no loss: the camera has begun to count anew."""


class RestartedError(Exception):
    """The camera counts anew, so nobody knows how many pictures are missing."""


class FrameIds:
    """Those of one session."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._unknown = 0
        """Pictures since then whose ids are not known."""

    def unknown(self) -> None:
        """A picture came, but not the packet with its id."""
        self._unknown += 1

    def missing_before(self, frame_id: int) -> int:
        """How many pictures are missing between the last one and this one; a repeated id counts as none.

        Raises RestartedError.
        """
        last, self._last = self._last, frame_id
        unknown, self._unknown = self._unknown, 0
        if last is None or frame_id == last:
            return 0
        step = frame_id - last
        if step < 0 and last <= WRAP:
            step %= WRAP
        if not 0 < step <= MOST_MISSING:
            raise RestartedError(f"its frame ids jump from {last} to {frame_id}")
        return max(0, step - 1 - unknown)
