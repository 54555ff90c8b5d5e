"""Two cameras of one partition and one producer, as ingest runs them, whose frames a test hands over by hand."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiokafka.admin import NewTopic

from andon.backoff import Backoff
from andon.clock import SystemClock
from andon.events import silent
from andon.messages import Frame
from andon.settings import KafkaSettings
from andon.stream.clients import admin, consumer, producer, started
from andon.stream.consumer import record_of
from andon.stream.publisher import KafkaPublisher
from andon.wire import decode
from ingest.bridge import Bridge
from ingest.publisher import CameraPublisher, Route
from ingest.queue import Lossless
from tests.fakes import RecordedEvents

CAMERAS = ("four-k", "other")
QUIET_MS = 1000


class TwoCameras:
    """Each has one session, `s`."""

    def __init__(self, publisher: KafkaPublisher, topic: str, events: RecordedEvents) -> None:
        self.publisher = publisher
        self.events = events
        self._topic = topic
        self._queues = {name: Lossless(10_000, 2**30, SystemClock()) for name in CAMERAS}
        self._bridges = {name: Bridge(queue, SystemClock()) for name, queue in self._queues.items()}
        for bridge in self._bridges.values():
            bridge.open("s")

    async def run(self) -> None:
        """Return when both cameras are closed and everything is acknowledged."""
        async with asyncio.TaskGroup() as group:
            for name, bridge in self._bridges.items():
                route = Route(name, self._topic, self.publisher, 5.0, Backoff(first_s=0.05, most_s=0.5))
                group.create_task(CameraPublisher(route, bridge, SystemClock(), self.events).run(), name=name)

    def capture(self, numbers: range, sizes: Mapping[int, int] | None = None) -> None:
        """Both cameras deliver these frames. `sizes`: bytes of single frames of the first camera."""
        for number in numbers:
            for name, bridge in self._bridges.items():
                size_bytes = (sizes or {}).get(number, 2_000) if name == CAMERAS[0] else 2_000
                bridge.put(_frame(name, number, size_bytes), wait=False)

    async def acknowledged(self) -> None:
        """Wait until the broker has everything that was captured."""
        while any(queue.depth for queue in self._queues.values()):
            await asyncio.sleep(0.01)

    def close(self) -> None:
        for bridge in self._bridges.values():
            bridge.close()


def _frame(camera_id: str, number: int, size_bytes: int) -> Frame:
    return Frame(
        camera_id=camera_id,
        session="s",
        seq=number,
        captured_at=SystemClock().now(),
        clock="host",
        width=4,
        height=4,
        payload=bytes(size_bytes),
    )


async def make_topic(kafka: KafkaSettings, **configs: str) -> None:
    """The frames topic with one partition, and with the broker's own settings but for `configs`."""
    named = {name.replace("_", "."): value for name, value in configs.items()}
    topic = NewTopic(kafka.frames_topic, 1, kafka.replication, topic_configs=named)
    patient = kafka.model_copy(update={"request_timeout_s": 60.0})
    async with started(lambda: admin(patient), patient, silent) as client:
        await client.create_topics([topic])


@asynccontextmanager
async def two_cameras(kafka: KafkaSettings) -> AsyncIterator[TwoCameras]:
    events = RecordedEvents()
    async with started(lambda: producer(kafka, events), kafka, silent) as client:
        cameras = TwoCameras(KafkaPublisher(client, check_s=1.0), kafka.frames_topic, events)
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(cameras.publisher.watch())
            running = group.create_task(cameras.run())
            yield cameras
            cameras.close()
            await running
            watching.cancel()


async def frames_of(kafka: KafkaSettings) -> dict[str, list[Frame]]:
    """What the topic holds, by camera, in the order of the log, without what came twice."""
    found: dict[str, dict[int, Frame]] = {name: {} for name in CAMERAS}
    async with started(lambda: consumer(kafka, None), kafka, silent) as client:
        client.subscribe([kafka.frames_topic])
        while batch := await client.getmany(timeout_ms=QUIET_MS):
            for raw in (raw for part in batch.values() for raw in part):
                frame = decode(record_of(raw))
                if isinstance(frame, Frame):
                    found[frame.camera_id].setdefault(frame.seq, frame)
    return {name: list(frames.values()) for name, frames in found.items()}
