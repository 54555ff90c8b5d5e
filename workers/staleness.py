"""Whether a frame is too old to be inspected. By one clock, the broker's: two hosts' clocks may differ."""

from datetime import datetime

from andon.messages import Frame
from andon.wire import Record, appended_at


def is_stale(record: Record, frame: Frame, now: datetime) -> bool:
    """`now`: the earliest time that it may be by the broker's clock.

    A capture time that was not compared with the broker's clock counts for nothing: such a frame is as old as its
    record.
    """
    if frame.max_age_s is None:
        return False
    since = frame.captured_at if frame.clock_offset_s is not None else appended_at(record) or frame.captured_at
    return (now - since).total_seconds() > frame.max_age_s
