"""Frames to the broker: in order, acknowledged, tried again for ever."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from andon.backoff import Backoff
from andon.errors import RetryableError, TooLargeError
from andon.events import FramePublished, FramesShed, FrameTooLarge, Retrying
from andon.messages import CameraStatus, Frame, Message, RecordRef
from andon.wire import Outgoing, Record, decode
from ingest.bridge import Bridge
from ingest.publisher import WINDOW, CameraPublisher, Route
from ingest.queue import Freshest, Lossless
from tests.fakes import FakeClock, MemoryPublisher, RecordedEvents, until_idle
from tests.unit.ingest.fakes import frame, status


class Refusing(MemoryPublisher):
    """Takes records, and refuses to acknowledge those that `refuses` picks, each only as often as it says so."""

    def __init__(self, refuses: Callable[[Outgoing], Exception | None]) -> None:
        super().__init__()
        self._refuses = refuses

    async def send(self, topic: str, record: Outgoing) -> Awaitable[RecordRef]:
        refusal = self._refuses(record)
        return await super().send(topic, record) if refusal is None else _refused(refusal)


async def _refused(error: Exception) -> RecordRef:
    raise error


class Full(Refusing):
    """Does not even take those that `refuses` picks."""

    async def send(self, topic: str, record: Outgoing) -> Awaitable[RecordRef]:
        refusal = self._refuses(record)
        if refusal is not None:
            raise refusal
        return await MemoryPublisher.send(self, topic, record)


def away(*what: str) -> Callable[[Outgoing], Exception | None]:
    """Refuses these, each once for each time that it is named: `name(message)` of what is sent."""
    left = list(what)

    def refuses(record: Outgoing) -> Exception | None:
        message = name(_read(record))
        if message not in left:
            return None
        left.remove(message)
        return RetryableError("away")

    return refuses


def _read(record: Outgoing) -> Message:
    return decode(Record("t", 0, 0, 0, record.key, record.value, record.headers))


def name(message: Message) -> str:
    match message:
        case Frame():
            return f"{message.session}{message.seq}"
        case CameraStatus(final=True):
            return f"{message.session} ends"
    return "status"


class Rig:
    def __init__(self, publisher: MemoryPublisher, frames: int = 100, max_age_s: float | None = None) -> None:
        self.clock, self.events, self.memory = FakeClock(), RecordedEvents(), publisher
        self.queue = Lossless(frames, 100_000, self.clock)
        if max_age_s is not None:
            self.queue = Freshest(frames, 100_000, self.clock, max_age_s)
        self.bridge = Bridge(self.queue, self.clock)
        self.bridge.open("s")
        route = Route("c", "t", publisher, 5.0, Backoff(0.0001, 0.0001))
        self.publisher = CameraPublisher(route, self.bridge, self.clock, self.events)

    def put(self, *frames: Frame) -> None:
        for item in frames:
            self.bridge.put(item, wait=False)

    async def drain(self) -> list[Message]:
        self.bridge.close()
        await self.publisher.run()
        return [decode(record) for record in self.memory.topics.get("t", [])]


def seqs(messages: list[Message]) -> list[int]:
    return [item.seq for item in messages if isinstance(item, Frame)]


async def test_frames_arrive_in_order_and_the_queue_is_empty_afterwards() -> None:
    rig = Rig(MemoryPublisher())
    rig.put(*(frame(seq) for seq in range(WINDOW * 2)))
    rig.bridge.end(status(final=True, captured=WINDOW * 2))
    sent = await rig.drain()
    assert seqs(sent) == list(range(WINDOW * 2))
    assert isinstance(sent[-1], CameraStatus)
    assert rig.queue.depth == 0
    assert len(rig.events.of(FramePublished)) == WINDOW * 2


async def test_what_the_broker_did_not_take_is_sent_again_in_order() -> None:
    refusals = [RetryableError("away")] * 3

    def refuses(record: Outgoing) -> Exception | None:
        return refusals.pop() if refusals else None

    rig = Rig(Refusing(refuses))
    rig.put(*(frame(seq) for seq in range(3)))
    assert seqs(await rig.drain()) == [0, 1, 2]
    assert [event.what for event in rig.events.of(Retrying)] == ["publish c"]
    assert rig.queue.depth == 0


async def test_while_the_broker_is_away_it_tries_again_until_it_is_back() -> None:
    rig = Rig(MemoryPublisher())
    rig.memory.away = True
    rig.put(*(frame(seq) for seq in range(3)))
    draining = asyncio.ensure_future(rig.drain())
    while len(rig.events.of(Retrying)) < 3:
        await asyncio.sleep(0)
    assert rig.queue.depth == 3
    rig.memory.away = False
    assert seqs(await draining) == [0, 1, 2]


async def test_a_picture_that_the_broker_finds_too_large_goes_without_its_pixels() -> None:
    def refuses(record: Outgoing) -> Exception | None:
        return None if len(record.value) < 500 else TooLargeError("too large")

    rig = Rig(Refusing(refuses))
    rig.put(frame(0), frame(1, size_bytes=600), frame(2))
    sent = await rig.drain()
    mended = [item for item in sent if isinstance(item, Frame) and item.seq == 1]
    assert [(item.corrupt, item.payload, item.too_large) for item in mended] == [(True, b"", "600 bytes: too large")]
    assert rig.queue.size_bytes == 0
    assert [event.frame for event in rig.events.of(FrameTooLarge)] == ["c/s/1"]


async def test_stale_frames_are_reported_as_shed_when_they_are_taken() -> None:
    rig = Rig(MemoryPublisher(), max_age_s=1.0)
    rig.put(frame(0, age_s=9), frame(1, age_s=9), frame(2))
    assert [type(item).__name__ for item in await rig.drain()] == ["ShedRange", "Frame"]
    assert [(event.reason, event.count) for event in rig.events.of(FramesShed)] == [("stale", 2)]


async def test_a_mistake_in_the_program_is_no_reason_to_try_again() -> None:
    rig = Rig(Refusing(lambda record: ZeroDivisionError()))
    rig.put(frame(0))
    with pytest.raises(ZeroDivisionError):
        await rig.drain()


async def test_no_more_than_a_window_is_under_way() -> None:
    never: asyncio.Future[RecordRef] = asyncio.get_running_loop().create_future()
    sent: list[Outgoing] = []

    class Silent(MemoryPublisher):
        async def send(self, topic: str, record: Outgoing) -> Awaitable[RecordRef]:
            sent.append(record)
            return asyncio.shield(never)

    rig = Rig(Silent(), frames=WINDOW * 2)
    rig.put(*(frame(seq) for seq in range(WINDOW * 2)))
    running = asyncio.ensure_future(rig.publisher.run())
    await until_idle()
    assert len(sent) == WINDOW
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_sessions_final_status_stands_behind_a_frame_that_had_to_be_sent_again() -> None:
    rig = Rig(Refusing(away("s1", "s1")))
    rig.put(*(frame(seq) for seq in range(4)))
    rig.bridge.end(status(final=True, captured=4))
    sent = [name(message) for message in await rig.drain()]
    assert sorted(sent[:-1]) == ["s0", "s1", "s2", "s3"]
    assert sent[-1] == "s ends"


async def test_nothing_of_the_next_session_passes_a_final_status_that_had_to_be_sent_again() -> None:
    rig = Rig(Refusing(away("s ends", "s ends")))
    rig.put(frame(0))
    rig.bridge.end(status(final=True, captured=1))
    rig.bridge.open("t")
    rig.put(frame(0, session="t"), frame(1, session="t"))
    assert [name(message) for message in await rig.drain()] == ["s0", "s ends", "t0", "t1"]


async def test_nothing_passes_a_frame_that_the_client_had_no_room_for() -> None:
    rig = Rig(Full(away("s1", "s1", "s3")))
    rig.put(*(frame(seq) for seq in range(6)))
    assert seqs(await rig.drain()) == list(range(6))


async def test_frames_that_are_sent_again_keep_their_order_if_the_client_has_no_room_for_the_first() -> None:
    refused, full = away("s0", "s1", "s2"), away("s0", "s0")
    attempts: list[Outgoing] = []

    class Both(Full):
        async def send(self, topic: str, record: Outgoing) -> Awaitable[RecordRef]:
            attempts.append(record)
            refusal = refused(record)
            return _refused(refusal) if refusal is not None else await super().send(topic, record)

    rig = Rig(Both(full))
    rig.put(*(frame(seq) for seq in range(3)))
    assert seqs(await rig.drain()) == [0, 1, 2]
    assert len(attempts) == 3 + 1 + 1 + 3, "what stands behind a refused one is not tried"
    assert rig.queue.depth == 0


async def test_what_comes_in_while_a_refused_frame_waits_goes_behind_it() -> None:
    acknowledge = asyncio.Event()

    async def later(ack: Awaitable[RecordRef]) -> RecordRef:
        await acknowledge.wait()
        return await ack

    class Slow(Refusing):
        async def send(self, topic: str, record: Outgoing) -> Awaitable[RecordRef]:
            ack = await super().send(topic, record)
            return ack if name(_read(record)) != "s0" else later(ack)

    rig = Rig(Slow(away("s1")))
    rig.put(frame(0), frame(1))
    draining = asyncio.ensure_future(rig.publisher.run())
    await until_idle()
    rig.put(frame(2))
    await until_idle()
    assert [name(decode(record)) for record in rig.memory.topics["t"]] == ["s0"]
    acknowledge.set()
    rig.bridge.close()
    await draining
    assert [name(decode(record)) for record in rig.memory.topics["t"]] == ["s0", "s1", "s2"]
