"""Reads a topic of the line from its first record on, and keeps the inspections."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain

from andon.errors import DecodeError
from andon.events import silent
from andon.messages import Inspection, Message
from andon.settings import KafkaSettings
from andon.stream.reading import read_topic
from andon.wire import decode

CHECK_S = 0.05

Receive = Callable[[Message, datetime], None]
"""Takes a message and the time when the consumer received it."""


@dataclass(slots=True, eq=False)
class InspectionLog:
    """Every inspection of a topic once, and how many came again."""

    inspections: list[Inspection] = field(default_factory=list)
    received_at: list[datetime] = field(default_factory=list)
    repeated: int = 0
    _frames: set[tuple[str, str, int]] = field(default_factory=set)

    def add(self, message: Message, at: datetime) -> None:
        """Ignores messages other than inspections."""
        if not isinstance(message, Inspection):
            return
        frame = (message.camera_id, message.session, message.seq)
        if frame in self._frames:
            self.repeated += 1
            return
        self._frames.add(frame)
        self.inspections.append(message)
        self.received_at.append(at)


async def read_messages(kafka: KafkaSettings, topic: str, receive: Receive) -> None:
    """Pass every message of `topic`, from the first on, to `receive`. Ends when cancelled."""
    async with read_topic(kafka, topic, silent) as reader:
        while True:
            batches = await reader.poll()
            at = datetime.now(UTC)
            for record in chain.from_iterable(batches.values()):
                try:
                    receive(decode(record), at)
                except DecodeError:
                    pass  # it is missing where the measurement counts the frames


async def wait_until(reached: Callable[[], bool], timeout_s: float) -> bool:
    """Poll until `reached`. Returns False if that takes longer than `timeout_s`."""
    try:
        async with asyncio.timeout(timeout_s):
            while not reached():  # noqa: ASYNC110 - a reader's count changes without an event
                await asyncio.sleep(CHECK_S)
    except TimeoutError:
        return False
    return True
