"""A line around a detector that sleeps: what is left to measure is Andon's own."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from andon.errors import DecodeError
from andon.events import silent
from andon.messages import Inspection, Message
from andon.settings import KafkaSettings, Settings
from andon.stream.clients import admin, consumer, started
from andon.stream.topics import ensure_topics, partitions_of
from andon.wire import Record, decode
from bench.harness.roles import Roles

PARTITIONS = 24
"""As many as a line has by default: eight workers have three each."""
READY_S = 60.0
POLL_MS = 100


def start_workers(roles: Roles, count: int, batch_ms: float) -> list[str]:
    """Workers with the sleeping detector, all ready: members of their group. Returns their names."""
    names = [f"worker-{number}" for number in range(1, count + 1)]
    for name in names:
        command = [
            sys.executable,
            "-m",
            "bench.harness.sleeping_worker",
            "-c",
            str(roles.config),
            "--batch-ms",
            str(batch_ms),
        ]
        roles.start(name, whole=command, ready=False)
    roles.until(lambda: all(roles.is_ready(name) for name in names), READY_S, f"{count} workers to be ready")
    return names


async def make_topics(kafka: KafkaSettings) -> None:
    """The topics of a line."""
    await ensure_topics(Settings(kafka=kafka), silent)


See = Callable[[Message, datetime], None]
"""Takes one message, and when it was in a consumer's hands."""


@dataclass(slots=True, eq=False)
class Watched:
    """Every inspection of a topic, and which frames it has seen more than once."""

    inspections: list[Inspection] = field(default_factory=list)
    received_at: list[datetime] = field(default_factory=list)
    repeated: int = 0
    _seen: set[tuple[str, str, int]] = field(default_factory=set)

    def see(self, message: Message, at: datetime) -> None:
        if not isinstance(message, Inspection):
            return
        frame = (message.camera_id, message.session, message.seq)
        if frame in self._seen:
            self.repeated += 1
            return
        self._seen.add(frame)
        self.inspections.append(message)
        self.received_at.append(at)


async def watch(kafka: KafkaSettings, topic: str, see: See) -> None:
    """Hand every record of `topic`, from the first on, to `see`. Ends when cancelled."""
    async with started(lambda: admin(kafka), kafka, silent) as administrator:
        partitions = await partitions_of(administrator, topic)
    async with started(lambda: consumer(kafka, None), kafka, silent) as client:
        client.assign(partitions)
        await client.seek_to_beginning(*partitions)
        while True:
            await _take(client, see)


async def _take(client: AIOKafkaConsumer, see: See) -> None:
    batches = await client.getmany(timeout_ms=POLL_MS)
    at = datetime.now(UTC)
    for raws in batches.values():
        for raw in raws:
            try:
                see(decode(_record(raw)), at)
            except DecodeError:
                pass  # whoever counts misses it


def _record(raw: ConsumerRecord) -> Record:
    return Record(raw.topic, raw.partition, raw.offset, raw.timestamp, raw.key, raw.value, raw.headers)


async def until(reached: Callable[[], bool], timeout_s: float) -> bool:
    """Whether it was reached in time."""
    try:
        async with asyncio.timeout(timeout_s):
            while not reached():  # noqa: ASYNC110 - what others count can only be asked for
                await asyncio.sleep(0.05)
    except TimeoutError:
        return False
    return True


def evenness(counts: Sequence[float]) -> float:
    """How fairly something is shared (Jain's index): 1 where all have the same, 1/n where one has all.

    Source: Jain, Chiu, Hawe, "A quantitative measure of fairness", DEC-TR-301 (1984).
    """
    squares = sum(count * count for count in counts)
    return sum(counts) ** 2 / (len(counts) * squares) if squares else 0.0
