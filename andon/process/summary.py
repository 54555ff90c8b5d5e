"""Merges events that repeat, so that a fault on each frame becomes one line a second and no event goes uncounted."""

from dataclasses import dataclass, fields
from typing import Any

from andon.events import Event

WINDOW_S = 1.0
"""At most one line in this time for events of one key."""
MOST_KEYS = 1000
"""Keys that are remembered at once. 1000: each camera of an ingester with each reason, many times over."""
IDENTITY = (
    *("camera", "stage", "topic", "partition", "reason", "what"),
    *("sink", "channel", "role", "process", "by_worker", "peer"),
)
"""Events of one name that differ in one of these fields are never merged."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the log. It stands for `values["repeated"]` events, if that is there, else for one."""

    event: type[Event]
    values: dict[str, Any]


@dataclass(slots=True)
class _Window:
    """The events of one key since its last line."""

    ends_s: float
    held: int = 0
    count: int = 0
    """The sum of the held events' `count`."""
    last: Event | None = None


class Summary:
    """The first event of a key is written at once, the following ones at the end of the window, as one line.

    That line has the values of the last of them, `repeated` says how many there were, and `count`, where the events
    have one, is their sum. Times are monotonic seconds. Not thread-safe.
    """

    def __init__(self) -> None:
        self._windows: dict[tuple[object, ...], _Window] = {}

    def add(self, event: Event, now_s: float) -> list[LogLine]:
        """The lines to write now; none if `event` is held back."""
        key = (event.name, *(getattr(event, name, None) for name in IDENTITY))
        window = self._windows.get(key)
        if window is not None and now_s < window.ends_s:
            window.held += 1
            window.count += getattr(event, "count", 0)
            window.last = event
            return []
        lines = self._closed(window) if window else self._room()
        self._windows[key] = _Window(now_s + WINDOW_S)
        return [*lines, LogLine(type(event), values_of(event))]

    def due(self, now_s: float) -> list[LogLine]:
        """The lines for held events whose window has ended."""
        lines: list[LogLine] = []
        for key, window in [item for item in self._windows.items() if item[1].ends_s <= now_s]:
            if window.held:
                lines += self._closed(window)
                self._windows[key] = _Window(now_s + WINDOW_S)
            else:
                del self._windows[key]
        return lines

    def rest(self) -> list[LogLine]:
        """The lines for all held events, at the end of the process."""
        windows = list(self._windows.values())
        self._windows.clear()
        return [line for window in windows for line in self._closed(window)]

    def _room(self) -> list[LogLine]:
        return self.rest() if len(self._windows) >= MOST_KEYS else []

    def _closed(self, window: _Window) -> list[LogLine]:
        if window.last is None:
            return []
        values = values_of(window.last)
        if "count" in values:
            values["count"] = window.count
        if window.held > 1:
            values["repeated"] = window.held
        return [LogLine(type(window.last), values)]


def values_of(event: Event) -> dict[str, Any]:
    return {field.name: getattr(event, field.name) for field in fields(event)}
