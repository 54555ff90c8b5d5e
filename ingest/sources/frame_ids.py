"""Counts the pictures that an industrial camera took and that never arrived, by the gaps in its frame ids (pure).

Source: GigE Vision 2.0, 24.3: the block id counts from 1; of 16 bits it returns from 65,535 to 1, as 0 is reserved.
USB3 Vision counts from 0 in 64 bits.
"""

WRAP, UNKNOWN = 65_535, 0
MOST_MISSING = 10_000
"""A larger gap is no loss: the camera has begun to count anew."""
NEAR = 100
"""The id of a damaged picture is believed up to this gap. Beyond, the next whole picture says what is missing."""


class RestartedError(Exception):
    """The camera counts anew, so nobody knows how many pictures are missing."""


class FrameIds:
    """Those of one session."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._unknown = 0
        """Pictures since then whose ids say nothing."""

    def missing_before(self, frame_id: int, *, whole: bool = True) -> int:
        """How many pictures are missing between the last one and this one; a repeated id counts as none.

        The id of a picture that is not whole may be anything: if it is far from the last one, the picture fills a gap.
        Raises RestartedError: that of a whole one doesn't follow.
        """
        step = self._step(frame_id)
        if not whole and (step is None or step > NEAR or frame_id == UNKNOWN):
            self._unknown += 1
            return 0
        if step is None and self._last is not None:
            raise RestartedError(f"its frame ids jump from {self._last} to {frame_id}")
        self._last = frame_id
        unknown, self._unknown = self._unknown, 0
        return max(0, step - 1 - unknown) if step is not None else 0

    def _step(self, frame_id: int) -> int | None:
        """From the last id to this one. None: there is no last one, or it is no step forward."""
        if self._last is None:
            return None
        step = frame_id - self._last
        if step < 0 and self._last <= WRAP:
            step %= WRAP
        return step if 0 <= step <= MOST_MISSING else None
