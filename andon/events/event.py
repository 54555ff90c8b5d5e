"""The base of every event, and how several subscribers hear of one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Event:
    name: ClassVar[str] = "event"
    """The event's name in the log: dotted, noun first."""
    level: ClassVar[Level] = "info"


Emit = Callable[[Event], None]


def fan_out(*subscribers: Emit) -> Emit:
    """One `emit` that passes each event to all of `subscribers`, in order."""

    def emit(event: Event) -> None:
        for subscriber in subscribers:
            subscriber(event)

    return emit


def silent(event: Event) -> None:
    """An `emit` without subscribers."""
