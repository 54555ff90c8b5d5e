"""Which times of a message can be true. Pure.

An ingester that starts without the time, while the broker is away, dates its first messages by a clock that nobody has
compared with another. A status of 2036 would make all later ones look old, and one of 1970 a silence of decades.
"""

from datetime import datetime, timedelta

from andon.alarms import AlarmRequest
from andon.messages import CameraStatus, ExpiredRange, Inspection, ShedRange

AHEAD = timedelta(seconds=0.5)
"""Nothing is appended to the log before it happens; clocks may differ by this unreported."""
OLDEST = timedelta(days=3653)
"""No spool holds a message for longer than ten years."""


def plausible(
    message: Inspection | ShedRange | CameraStatus | ExpiredRange | AlarmRequest, appended: datetime | None
) -> Inspection | ShedRange | CameraStatus | ExpiredRange | AlarmRequest:
    """The message, dated by its append to the log where its own time can't be true. `appended`: None: nobody knows.

    A request always is: its sender may be a button without a clock.
    """
    if appended is None or (isinstance(message, Inspection) and message.clock_offset_s is not None):
        return message
    if isinstance(message, AlarmRequest):
        return message.taken(appended)
    field = "captured_at" if isinstance(message, Inspection) else "at"
    if appended - OLDEST < getattr(message, field) < appended + AHEAD:
        return message
    return message.model_copy(update={field: appended})
