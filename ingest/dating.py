"""Dates frames anew that were captured before anybody knew the broker's clock."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from andon.messages import CameraStatus, Frame, ShedRange

M = TypeVar("M", Frame, Frame | ShedRange | CameraStatus)
Redated = Callable[[datetime], tuple[datetime, float] | None]
"""`BrokerClock.redated`: puts a capture time right that was taken before the broker's clock was known."""


def not_redated(at: datetime) -> None:
    """For those who know no broker's clock."""


def dated(message: M, redated: Redated) -> M:
    """The message, put right if it is such a frame and the broker's clock is known now."""
    if not isinstance(message, Frame) or message.clock_offset_s is not None:
        return message
    right = redated(message.captured_at)
    if right is None:
        return message
    return message.model_copy(update={"captured_at": right[0], "clock_offset_s": right[1]})
