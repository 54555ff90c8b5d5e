"""A frame's way from its capture to its alert is one trace, of three processes, at a collector that speaks OTLP."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from andon.settings import RedisSettings
from tests.collector import Collector, ReceivedSpan, ids
from tests.e2e.line import CLIPS, Line

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
INGEST, WORK, SINK = "andon-ingest", "andon-work", "andon-sink"
STEPS = [(WORK, "decode"), (WORK, "batch"), (WORK, "infer"), (WORK, "publish")]
"""Of an inspection, one after the other."""
WAY = [
    (INGEST, "capture"),
    (INGEST, "queue"),
    (INGEST, "publish"),
    (WORK, "broker"),
    (WORK, "inspect"),
    *STEPS,
    (SINK, "broker"),
    (SINK, "account"),
    (SINK, "outbox"),
    (SINK, "deliver"),
]
PARENTS = {
    (INGEST, "capture"): None,
    (INGEST, "queue"): "capture",
    (INGEST, "publish"): "capture",
    (WORK, "broker"): "capture",
    (WORK, "inspect"): "capture",
    **dict.fromkeys(STEPS, "inspect"),
    (SINK, "broker"): "inspect",
    (SINK, "account"): "inspect",
    (SINK, "outbox"): "account",
    (SINK, "deliver"): "account",
}
ROLES = ("sink", "worker", "ingest")
CHANNELS = {"redis", "kafka"}
APART_NS = 100_000_000
"""Between two reads of a clock, on a machine that does much else."""


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")  # for the processes of the line
    with Collector() as collector:
        yield collector


def start(line: Line, endpoint: str) -> None:
    line.document["tracing"] = {"endpoint": endpoint, "sample": 1.0}
    line.write([{"id": "press-1", "url": str(CLIPS / "press-1.mp4"), "loop": True}])
    for name, command in zip(ROLES, ("sink", "work", "ingest"), strict=True):
        line.start(name, command)


def dropped(line: Line, name: str) -> float:
    samples = [text for text in line.metrics(name).splitlines() if text.startswith("andon_traces_spans_dropped_total")]
    return float(samples[0].split()[-1]) if samples else 0.0


def whole(collector: Collector) -> list[ReceivedSpan] | None:
    """A trace with all its spans, which has left by every channel; None: there is none yet."""
    for trace in collector.traces().values():
        channels = {span.about["andon.channel"] for span in trace if span.name == "deliver"}
        if channels >= CHANNELS and {(span.service, span.name) for span in trace} == set(WAY):
            return trace
    return None


def alerts(settings: RedisSettings) -> list[dict[str, str]]:
    with redis.Redis.from_url(settings.url.get_secret_value(), decode_responses=True) as client:
        entries: Any = client.xrange(f"{settings.prefix}:alerts")
        return [fields for _, fields in entries]


@pytest.mark.parametrize("broker", ["embedded"], indirect=True)
def test_a_frame_from_its_capture_to_its_alert_is_one_trace(
    line: Line, valkey: RedisSettings, collector: Collector
) -> None:
    """The collector refuses all spans at first: the line goes on, and counts what it drops."""
    collector.status = 400
    start(line, collector.endpoint)
    line.wait_for(lambda: all(dropped(line, name) for name in ROLES), 60, "each process to drop spans")
    line.wait_for(lambda: line.inspected() > 30, 60, "inspections without a collector")
    dropped_at_first = {name: dropped(line, name) for name in ROLES}
    collector.status = 200
    line.wait_for(lambda: whole(collector) is not None, 90, "a trace that ends with an alert")
    for name in ROLES:
        assert line.stop(name) == 0
    trace = whole(collector)
    assert trace is not None
    named = {(span.service, span.name): span for span in trace}
    for key, span in named.items():
        parent = next((other for other in trace if other.span_id == span.parent_id), None)
        assert (parent and parent.name) == PARENTS[key], key
        assert span.start_ns <= span.end_ns
    assert_in_order(named)
    assert_described(named)
    delivered = {span.about["andon.event"]: span for span in trace if span.about.get("andon.channel") == "redis"}
    sent = {fields["event_id"]: fields for fields in alerts(valkey)}
    for event, span in delivered.items():
        if span.name == "deliver":
            assert ids(sent[event]["traceparent"]) == span.traceparent
            assert "traceparent" not in json.loads(sent[event]["event"])
    for name in ROLES:
        log = line.whole_log(name)
        assert 0 < log.count("event=traces.unsent") < dropped_at_first[name]
        assert "code: 400" in log


def assert_in_order(named: dict[tuple[str, str], ReceivedSpan]) -> None:
    """Each stage begins after the one before it, and the steps of a process lie within its span."""
    begun = [named[key].start_ns for key in WAY]
    assert begun == pytest.approx(sorted(begun), abs=APART_NS)
    for key in STEPS:
        inspect, step = named[WORK, "inspect"], named[key]
        assert inspect.start_ns <= step.start_ns <= step.end_ns <= inspect.end_ns, key
    for before, after in ((INGEST, "queue"), (INGEST, "publish")), ((WORK, "broker"), (WORK, "inspect")):
        assert named[before].end_ns <= named[after].start_ns + APART_NS


def assert_described(named: dict[tuple[str, str], ReceivedSpan]) -> None:
    frame = {key: named[INGEST, "capture"].about[f"andon.{key}"] for key in ("camera", "session", "seq")}
    assert frame["camera"] == "press-1"
    for key in ((WORK, "inspect"), (SINK, "account")):
        assert {name: named[key].about[f"andon.{name}"] for name in frame} == frame
    assert named[WORK, "inspect"].about["andon.pool"] == "default"
    infer = named[WORK, "infer"]
    assert infer.about["andon.runtime"] == "openvino"
    assert infer.about["andon.batch_size"] == 1 + len(infer.links)
