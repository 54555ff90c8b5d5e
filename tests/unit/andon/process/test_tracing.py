"""The spans of a frame's way, stage by stage, in memory."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import pytest

from andon import wire
from andon.messages import Frame, Inspection, RecordRef
from andon.stream.offsets import Partition
from andon.wire import Record
from ingest.capture import Capture, Tools
from ingest.publisher import CameraPublisher, Route
from ingest.spool import decode as read_row
from ingest.spool import encode as to_row
from sinks.batch import OpenBatch
from sinks.outbox import Dispatcher
from sinks.outbox_item import OutboxItem
from sinks.outbox_queue import NamedChannel
from sinks.store.stored import Batch, Position
from tests.detectors import FakeDetector, grey
from tests.fakes import START, FakeClock, MemoryPublisher, RecordedEvents
from tests.outbox import MemoryChannel, MemoryOutbox, an_item
from tests.spans import Traces, context, parent, seconds
from tests.unit.ingest.fakes import Opener, ScriptedSource, camera_settings, frame, pictures
from tests.unit.ingest.test_capture import Rig as CaptureRig
from tests.unit.sinks.judgement.frames import DEFECT_RULES, crossing, inspected
from tests.unit.sinks.test_outbox import drained
from tests.unit.workers import rig
from tests.unit.workers.rig import record_of
from tests.unit.workers.test_inference import Gate
from tests.unit.workers.test_inference import running as inferring

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01"
START_S = START.timestamp()


def span_id(traceparent: str) -> int:
    return int(traceparent.split("-")[2], 16)


def headers(record: Record) -> dict[str, str]:
    return {name: value.decode() for name, value in record.headers}


# ---- messages


def test_the_context_travels_in_a_header_and_never_in_the_json() -> None:
    inspection = inspected(1).traced(PARENT)
    record = wire.encode(inspection)
    assert dict(record.headers)["traceparent"] == PARENT.encode()
    assert b"traceparent" not in record.value
    read = wire.decode(Record("t", 0, 0, 0, record.key, record.value, record.headers))
    assert isinstance(read, Inspection)
    assert read.traceparent == PARENT


@pytest.mark.parametrize(
    "wrong", ["", "00-ab-cd-01", "00-" + "0" * 32 + "-b7ad6b7169203331-01", PARENT.upper(), "x" * 9000]
)
def test_a_wrong_context_costs_the_trace_and_never_the_frame(wrong: str) -> None:
    for message in (frame(1), inspected(1)):
        record = wire.encode(message)
        changed = [*record.headers, ("traceparent", wrong.encode()), ("tracestate", b"other=1")]
        read = wire.decode(Record("t", 0, 0, 0, record.key, record.value, changed))
        assert read == message
        assert isinstance(read, Frame | Inspection)
        assert read.traceparent is None


# ---- ingest


def captured(traces: Traces, clock: FakeClock, count: int = 1) -> tuple[list[Frame], CaptureRig]:
    line = CaptureRig(ScriptedSource(pictures(count)))
    line.clock = clock
    tools = Tools(Opener(lambda: line.source), clock, line.events, 1_000_000, tracing=traces.tracing)
    Capture(camera_settings(pool="hall-2"), line.bridge, tools, line.begun.append).run()
    return line.frames(), line


async def test_the_sampler_decides_at_the_capture() -> None:
    clock = FakeClock()
    none, every = Traces(clock, 0.0), Traces(clock)
    frames, _ = captured(none, clock, 3)
    assert {item.traceparent for item in frames} == {None}
    assert none.spans == []
    frames, _ = captured(every, clock, 3)
    assert [item.traceparent for item in frames] == [context(span) for span in every.named("capture")]
    first = every.named("capture")[0]
    assert first.parent is None
    assert dict(first.attributes or {}) == {
        "andon.camera": frames[0].camera_id,
        "andon.session": frames[0].session,
        "andon.seq": 0,
        "andon.pool": "hall-2",
    }


async def test_the_wait_in_the_queue_and_the_publishing_are_spans_of_the_capture() -> None:
    clock = FakeClock()
    traces = Traces(clock)
    (item,), line = captured(traces, clock)
    line.bridge.open(item.session)
    line.bridge.put(item, wait=False)
    broker = Slow(clock)
    route = Route("cam", "andon.frames", broker, 1.0, tracing=traces.tracing)
    line.bridge.close()
    clock.advance(4.0)
    await CameraPublisher(route, line.bridge, clock, line.events).run()
    (queue,), (publish,) = traces.named("queue"), traces.named("publish")
    assert [parent(span) for span in (queue, publish)] == [traces.named("capture")[0].context.span_id] * 2
    assert seconds(queue) == pytest.approx((START_S, 4.0))
    assert seconds(publish) == pytest.approx((START_S + 4.0, 0.5))
    (record,) = broker.topics["andon.frames"]
    assert headers(record)["traceparent"] == item.traceparent
    assert headers(record)["tracestate"] == f"andon={round((START_S + 4.0) * 1e6)}"


class Slow(MemoryPublisher):
    """A broker that takes half a second."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    async def send(self, topic: str, record: wire.Outgoing) -> Awaitable[RecordRef]:
        self._clock.advance(0.5)
        return await super().send(topic, record)


def test_a_spooled_frame_keeps_its_context() -> None:
    traces = Traces(FakeClock())
    item = traces.tracing.captured(frame(1), "default", 0.0)
    _, timestamp_ms, about, value = to_row(0, item)
    assert read_row(timestamp_ms, about, value) == item
    assert item.traceparent is not None


# ---- workers


def record(number: int, traceparent: str | None, **fields: Any) -> Record:
    return record_of(rig.frame(number, **fields).traced(traceparent), number)


async def test_a_worker_adds_its_steps_and_links_the_frames_of_a_batch() -> None:
    gate = Gate()
    async with rig.worker(FakeDetector(gate), traced=True) as running:
        running.submit(record(0, None))
        await gate.arrival()  # the detector is busy: the next two wait for it together
        running.submit(record(1, PARENT), record(2, OTHER))
        gate.open.release(3)
        await running.finish()
    assert running.traces is not None
    found = {dict(span.attributes or {})["andon.seq"]: span for span in running.traces.named("inspect")}
    assert {number: parent(span) for number, span in found.items()} == {1: span_id(PARENT), 2: span_id(OTHER)}
    steps = [span for span in running.traces.spans if parent(span) == found[1].context.span_id]
    assert [span.name for span in steps] == ["decode", "batch", "infer", "publish"]
    infer = steps[2]
    about = dict(infer.attributes or {})
    assert about["andon.runtime"] == "fake"
    others = [found[2].context.span_id] if about["andon.batch_size"] == 2 else []
    assert [link.context.span_id for link in infer.links] == others
    assert [item.traceparent for item in running.inspections] == [None, context(found[1]), context(found[2])]


async def test_a_traced_frame_knows_the_other_traced_frames_of_its_batch() -> None:
    gate = Gate()
    async with inferring(FakeDetector(gate)) as inference:
        tasks = [asyncio.create_task(inference.infer("cam", grey(1)), name="first")]
        await gate.arrival()
        for number, traceparent in enumerate((PARENT, None, OTHER)):
            tasks.append(asyncio.create_task(inference.infer("cam", grey(1), traceparent), name=f"next {number}"))
        await asyncio.sleep(0)
        gate.open.release(2)
        responses = await asyncio.gather(*tasks)
    assert [response.beside for response in responses] == [(), (OTHER,), (), (PARENT,)]


async def test_the_wait_at_the_broker_begins_when_the_frame_was_sent() -> None:
    async with rig.worker(traced=True) as running:
        running.later(3.0)
        sent = f"andon={round((START_S + 1.0) * 1e6)}"
        running.submit(record(0, PARENT, tracestate=sent), record(1, PARENT))
        await running.finish()
    assert running.traces is not None
    (waited,) = running.traces.named("broker")
    assert seconds(waited) == pytest.approx((START_S + 1.0, 2.0))
    assert parent(waited) == span_id(PARENT)


async def test_a_frame_that_is_quarantined_ends_its_span_too() -> None:
    async with rig.worker(traced=True) as running:
        running.submit(record(0, PARENT, payload=b"no picture"))
        await running.finish()
    assert running.traces is not None
    (inspect,) = running.traces.named("inspect")
    assert [(item.outcome, item.traceparent) for item in running.inspections] == [("quarantined", context(inspect))]
    assert [span.name for span in running.traces.spans] == ["publish", "inspect"]


async def test_a_worker_without_traces_passes_the_context_on() -> None:
    async with rig.worker() as running:
        running.submit(record(0, PARENT))
        await running.finish()
    assert [item.traceparent for item in running.inspections] == [PARENT]


# ---- sinks


def stepped(traces: Traces | None, *messages: Inspection) -> OpenBatch:
    work = OpenBatch((), messages, Batch(Partition("andon.inspections", 0), Position(1, "", 0), len(messages), START))
    if traces is not None:
        work.trace(traces.tracing, 0.0)
    work.step({}, DEFECT_RULES, ("redis",))
    return work


def defective(traceparent: str | None) -> list[Inspection]:
    """A scratch that is confirmed on the last of these frames, which alone is traced."""
    *first, last = crossing(range(4))
    return [*first, last.traced(traceparent)]


def test_what_leaves_for_a_traced_frame_carries_the_span_of_its_account() -> None:
    clock = FakeClock()
    clock.advance(10.0)
    traces = Traces(clock)
    work = stepped(traces, *defective(PARENT))
    (trace,) = work.traces
    trace.end()
    (account,) = traces.named("account")
    assert {(item.channel, item.traceparent) for item in work.batch.leaving} == {
        ("redis", context(account)),
        ("evidence", context(account)),
        ("alarms", context(account)),
    }
    assert seconds(account) == pytest.approx((START_S, 10.0))  # since the batch began
    assert parent(account) == span_id(PARENT)


def test_a_sink_without_traces_passes_the_context_on() -> None:
    assert {item.traceparent for item in stepped(None, *defective(PARENT)).batch.leaving} == {PARENT}
    assert {item.traceparent for item in stepped(None, *defective(None)).batch.leaving} == {None}


async def test_an_alert_carries_the_span_of_its_delivery() -> None:
    clock = FakeClock()
    clock.advance(2.0)
    traces, channel = Traces(clock), Noting(clock)
    items = replace(an_item(1), traceparent=PARENT), an_item(2)
    dispatcher = Dispatcher(
        MemoryOutbox(*items), [NamedChannel("memory", channel)], clock, RecordedEvents(), tracing=traces.tracing
    )
    dispatcher.own(frozenset({0}))
    await drained(dispatcher)
    (deliver,), (outbox,) = traces.named("deliver"), traces.named("outbox")
    assert channel.contexts == [context(deliver), None]
    assert seconds(outbox) == pytest.approx((START_S, 2.0))
    assert seconds(deliver) == pytest.approx((START_S + 2.0, 0.25))
    assert [parent(span) for span in (outbox, deliver)] == [span_id(PARENT)] * 2
    assert dict(deliver.attributes or {}) == {"andon.channel": "memory", "andon.event": items[0].event_id}


class Noting(MemoryChannel):
    """Takes a quarter of a second, and notes the context of each item."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self.contexts: list[str | None] = []
        self._clock = clock

    async def send(self, item: OutboxItem) -> None:
        self._clock.advance(0.25)
        self.contexts.append(item.traceparent)
        await super().send(item)


def test_steps_lie_within_their_span_although_the_clock_is_set() -> None:
    clock = FakeClock()
    traces = Traces(clock)
    trace = traces.tracing.accounting(inspected(0).traced(PARENT), 0.0)
    assert trace is not None
    clock.advance(1.0)
    trace.step("first")
    clock.step(-3600.0)
    clock.advance(1.0)
    trace.step("second", 5.0)  # longer than it can have taken
    trace.end()
    (account,) = traces.named("account")
    assert seconds(account) == pytest.approx((START_S, 2.0))
    assert [seconds(traces.named(name)[0]) for name in ("first", "second")] == [
        pytest.approx((START_S, 1.0)),
        pytest.approx((START_S + 1.0, 1.0)),
    ]
