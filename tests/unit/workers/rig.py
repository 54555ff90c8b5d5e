"""A worker in memory: an inspector with a fake detector, a publisher that keeps lists, and records to submit."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import cv2

from andon.backoff import Backoff
from andon.messages import Frame, Inspection, Message
from andon.pictures.picture import PictureLimits
from andon.stream.broker_clock import BrokerClock
from andon.stream.offsets import Partition
from andon.stream.step import Cut, Delivery
from andon.wire import Record
from andon.wire import decode as read_record
from andon.wire import encode as write_record
from tests.detectors import FakeDetector, grey
from tests.fakes import START, FakeClock, MemoryPublisher, RecordedEvents
from tests.spans import Traces
from workers.batcher import Batcher
from workers.decoder_pool import DecoderOptions, DecoderPool
from workers.decoding.place import HOST, DecodingPlace
from workers.decoding.video import VideoLimits
from workers.inference import Inference
from workers.inspector import Deps, Inspector, PartitionInspection
from workers.publications import InspectorOptions
from workers.publisher import Outlet
from workers.quarantine import QuarantineLimit
from workers.threads import decoder_threads, detector_threads

FRAMES = "andon.frames"
LANE = Partition(FRAMES, 0)
ENOUGH_PX = 100
"""The fake detector's input: larger pictures are decoded at a reduced size."""
LIMITS = PictureLimits(100_000, 100_000)
NO_WAIT = Backoff(0.0, 0.0)
SECOND = timedelta(seconds=1)


def jpeg(level: int = 100) -> bytes:
    """A grey picture. The fake detector is `level / 255` confident of it."""
    return cv2.imencode(".jpg", grey(level))[1].tobytes()


def frame(seq: int, camera_id: str = "cam", **fields: Any) -> Frame:
    given: dict[str, Any] = {"session": "s", "payload": jpeg(), "captured_at": START, "width": 64, "height": 48}
    return Frame(camera_id=camera_id, seq=seq, clock="host", **(given | fields))


def record_of(message: Message, offset: int, partition: int = 0) -> Record:
    sent = write_record(message)
    return Record(FRAMES, partition, offset, sent.timestamp_ms, sent.key, sent.value, sent.headers)


@dataclass
class Worker:
    lanes: Mapping[Partition, PartitionInspection]
    """Partition 0 and 1."""
    publisher: MemoryPublisher
    clock: FakeClock
    broker_clock: BrokerClock
    events: RecordedEvents
    done: list[int] = field(default_factory=list)
    """Offsets, in the order in which they were done."""
    traces: Traces | None = None

    def submit(self, *messages: Message | Record, partition: int = 0) -> None:
        records = [
            item if isinstance(item, Record) else record_of(item, offset, partition)
            for offset, item in enumerate(messages)
        ]
        deliveries = [Delivery(item, partial(self.done.append, item.offset)) for item in records]
        self.lanes[Partition(FRAMES, partition)].submit(deliveries)

    async def finish(self, *partitions: Partition) -> None:
        async with asyncio.timeout(60):
            for partition in partitions or (LANE,):
                await self.lanes[partition].drain()

    @property
    def published(self) -> list[Message]:
        return [read_record(item) for item in self.publisher.topics.get("andon.inspections", [])]

    @property
    def inspections(self) -> list[Inspection]:
        return [message for message in self.published if isinstance(message, Inspection)]

    @property
    def quarantine(self) -> Sequence[Record]:
        return self.publisher.topics.get("andon.quarantine", [])

    def later(self, seconds: float) -> None:
        self.clock.advance(seconds)


@asynccontextmanager
async def worker(
    detector: FakeDetector | None = None,
    *,
    batch_size: int = 4,
    limit: int = 100,
    limits: PictureLimits = LIMITS,
    publisher: MemoryPublisher | None = None,
    cuts: Mapping[Partition, Cut] | None = None,
    traced: bool = False,
    ahead: int = 16,
    max_decoders: int = 10,
    place: DecodingPlace = HOST,
) -> AsyncIterator[Worker]:
    """A running worker. Its failures come out as an ExceptionGroup, as in the real role."""
    clock, events, memory = FakeClock(), RecordedEvents(), publisher or MemoryPublisher()
    with detector_threads() as thread, decoder_threads(2) as threads:
        async with asyncio.TaskGroup() as tasks:

            def spawn(work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
                return tasks.create_task(work, name=name)

            looking = detector or FakeDetector()
            inference = Inference(looking, thread, Batcher(batch_size, 0.0), clock, events)
            decoding = DecoderOptions(2, limits, ENOUGH_PX)
            decoders = DecoderPool(threads, decoding, clock)
            outlet, broker_clock = Outlet(memory, spawn, events, NO_WAIT), BrokerClock(clock)
            traces = Traces(clock) if traced else None
            tracing = None if traces is None else traces.tracing
            deps = Deps(decoders, inference, outlet, QuarantineLimit(limit, 60.0, events), broker_clock, tracing, place)
            options = InspectorOptions(
                "andon.inspections", "andon.quarantine", 1_000_000, ahead, VideoLimits(limits, max_decoders, 60.0)
            )
            running = spawn(inference.serve(), "worker.detect")
            inspector = Inspector(looking.info, deps, options, clock, events)
            lanes = await inspector.open([LANE, Partition(FRAMES, 1)], cuts or {})
            yield Worker(lanes, memory, clock, broker_clock, events, traces=traces)
            running.cancel()
