"""Collaborators in memory. Each passes the conformance suite that the real one passes (tests/conformance)."""

from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from andon.errors import RetryableError
from andon.events import Event
from andon.messages import RecordRef
from andon.wire import Outgoing, Record

T = TypeVar("T", bound=Event)
START = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)


class FakeClock:
    """Stands still until it is told to go on."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._elapsed_s = 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        return self._elapsed_s

    def advance(self, seconds: float) -> None:
        self._elapsed_s += seconds


class Told:
    """An `emit` that remembers."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]


class MemoryPublisher:
    """A Publisher whose topics are lists; acknowledges at once, or refuses while `away`."""

    def __init__(self) -> None:
        self.topics: dict[str, list[Record]] = {}
        self.away = False

    async def send(self, topic: str, record: Outgoing) -> Awaitable[RecordRef]:
        if self.away:
            raise RetryableError("the broker is away")
        log = self.topics.setdefault(topic, [])
        ref = RecordRef(topic=topic, partition=0, offset=len(log))
        log.append(Record(topic, 0, ref.offset, record.timestamp_ms, record.key, record.value, record.headers))
        return _acknowledged(ref)


async def _acknowledged(ref: RecordRef) -> RecordRef:
    return ref
