"""Boxes, velocities and time between frames. Pixels of the published frame, px/s, seconds."""

from datetime import datetime
from typing import NamedTuple, Protocol

from andon.messages import Box, Inspection

LONGEST_S = 60.0
"""Longest time that counts as passed between two frames: a thing that moved for longer has left the picture."""


class Rect(NamedTuple):
    """A box that is computed and not measured: no message, so nothing is validated."""

    x1: float
    y1: float
    x2: float
    y2: float


def centre(box: Box | Rect) -> tuple[float, float]:
    return (box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2


def area(box: Box | Rect) -> float:
    """In square pixels."""
    return (box.x2 - box.x1) * (box.y2 - box.y1)


def intersection(one: Box | Rect, other: Box | Rect) -> float:
    """The area that two boxes share, in square pixels; 0 if they share none."""
    width = min(one.x2, other.x2) - max(one.x1, other.x1)
    height = min(one.y2, other.y2) - max(one.y1, other.y1)
    return max(0.0, width) * max(0.0, height)


def iou(one: Box | Rect, other: Box | Rect) -> float:
    """Intersection over union, 0 to 1."""
    shared = intersection(one, other)
    return shared / (area(one) + area(other) - shared) if shared else 0.0


def blend(known: tuple[float, float] | None, measured: tuple[float, float], gain: float) -> tuple[float, float]:
    """Move a known velocity towards a measured one by `gain` (0 to 1) of the difference."""
    if known is None:
        return measured
    return known[0] + gain * (measured[0] - known[0]), known[1] + gain * (measured[1] - known[1])


class StreamTime(Protocol):
    """The time of the last frame: by its capture, and on the stream's own timeline if it has one."""

    captured_at: datetime | None
    media_time_s: float | None


def advance_time(last: StreamTime, frame: Inspection) -> float:
    """Move `last` (in place) to this frame. Returns the seconds in between, 0 to LONGEST_S.

    The stream's own timeline counts if both frames have it, else the capture times.
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
