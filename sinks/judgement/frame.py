"""One inspected frame with the detections that count, and the time since the frame before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from andon.messages import Detection, Inspection

Verdict = Literal["pass", "fail", "unknown"]
"""On a frame. `fail`: a defect class was detected. `unknown`: not inspected, or the picture was frozen, dark,
over-exposed or blurred. No result is never a pass."""
LONGEST_S = 60.0
"""Longest time that counts as passed between two frames: whatever moved for longer has left the picture."""


@dataclass(frozen=True, slots=True)
class FrameView:
    """An inspection, and its detections that count: possible, sure enough, one for each thing, the surest first."""

    inspection: Inspection
    defects: Sequence[Detection]
    parts: Sequence[Detection] = ()
    """Empty if parts are not followed."""

    @property
    def verdict(self) -> Verdict:
        if self.inspection.outcome != "inspected" or self.inspection.health is not None:
            return "unknown"
        return "fail" if self.defects else "pass"

    @property
    def shows_anything(self) -> bool:
        """Whether the frame says anything about defects and parts.

        A detection on a dark or blurred picture counts, since missing it would be worse; an absence there does not. A
        frozen picture repeats an earlier frame.
        """
        health = self.inspection.health
        return health is None or (health != "frozen" and bool(self.defects or self.parts))

    @property
    def shows_defects(self) -> bool:
        """Whether the frame says anything about defects, their absence included."""
        return self.inspection.health is None or bool(self.defects)


class StreamTime(Protocol):
    """The time of the last frame: by its capture, and on the stream's own timeline where it has one."""

    captured_at: datetime | None
    media_time_s: float | None


def advance_time(last: StreamTime, frame: Inspection) -> float:
    """Move `last` (in place) to this frame. Returns the seconds in between, 0 to LONGEST_S.

    The stream's own timeline counts where both frames have it, else the capture times.
    """
    before, media_before_s = last.captured_at, last.media_time_s
    last.captured_at, last.media_time_s = frame.captured_at, frame.media_time_s
    if before is None:
        return 0.0
    if media_before_s is not None and frame.media_time_s is not None:
        step_s = frame.media_time_s - media_before_s
    else:
        step_s = (frame.captured_at - before).total_seconds()
    return min(max(0.0, step_s), LONGEST_S)
