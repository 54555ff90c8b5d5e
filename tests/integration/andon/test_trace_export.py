"""Spans on their way to a collector, which takes them, refuses them, hangs or is not there."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from andon.events import TraceSpansDropped, TraceSpansSent, TracesResumed, TracesUnsent
from andon.process import trace_export
from andon.process.lifecycle import run
from andon.process.trace_export import exported
from andon.process.tracing import TraceSpans
from andon.settings import Settings, TracingSettings
from tests.collector import Collector
from tests.fakes import RecordedEvents
from tests.kafka_server import free_port

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
AT_NS = 1_772_344_800_000_000_000


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "50")
    monkeypatch.setattr(trace_export, "CLOSE_S", 30.0)


def tracing(endpoint: str, sample: float = 1.0) -> TracingSettings:
    return TracingSettings(endpoint=endpoint, sample=sample)


class Events(RecordedEvents):
    """Waits for what comes from another thread."""

    def __init__(self) -> None:
        super().__init__()
        self._came = threading.Condition()

    def __call__(self, event: object) -> None:
        with self._came:
            super().__call__(event)  # type: ignore[arg-type]  # an Event
            self._came.notify_all()

    def until(self, reached: Callable[[], bool]) -> None:
        with self._came:
            assert self._came.wait_for(reached, 60)

    def dropped(self) -> int:
        return sum(event.count for event in self.of(TraceSpansDropped))

    def sent(self) -> int:
        return sum(event.count for event in self.of(TraceSpansSent))


def make(spans: TraceSpans, count: int = 1) -> None:
    for number in range(count):
        span = spans.begin("capture", None, AT_NS, {"andon.seq": number})
        assert span is not None
        span.end(AT_NS + 5, {})


def test_spans_arrive_with_their_parents_links_and_process(collector: Collector) -> None:
    with exported(tracing(collector.endpoint), "work", Events()) as spans:
        root = spans.begin("capture", None, AT_NS, {"andon.camera": "press-1"})
        assert root is not None
        child = spans.begin("inspect", root.traceparent, AT_NS + 10, {}, beside=[root.traceparent])
        assert child is not None
        child.end(AT_NS + 30, {"andon.batch_size": 4})
        root.end(AT_NS + 5, {})
    first, second = sorted(collector.spans, key=lambda span: span.start_ns)
    assert (first.service, first.name, first.parent_id, first.about) == (
        "andon-work",
        "capture",
        "",
        {"andon.camera": "press-1"},
    )
    assert (second.trace_id, second.parent_id, second.links) == (first.trace_id, first.span_id, (first.span_id,))
    assert (second.start_ns, second.end_ns, second.about) == (AT_NS + 10, AT_NS + 30, {"andon.batch_size": 4})
    assert (first.kind, second.kind) == (1, 5)  # internal, consumer


def test_nothing_is_sent_at_sample_0(collector: Collector) -> None:
    with exported(tracing(collector.endpoint, 0.0), "ingest", Events()) as spans:
        assert spans.begin("capture", None, AT_NS, {}) is None
    assert collector.requests == 0


def test_a_collector_that_refuses_is_reported_once_and_what_it_refused_is_counted(collector: Collector) -> None:
    collector.status = 403
    events = Events()
    with exported(tracing(collector.endpoint), "sink", events) as spans:
        for number in range(1, 4):
            make(spans)
            events.until(lambda number=number: events.dropped() == number)  # type: ignore[misc]  # bound at once
        collector.status = 200
        make(spans, 2)
        events.until(lambda: events.sent() == 2)
        events.until(lambda: bool(events.of(TracesResumed)))
    (unsent,) = events.of(TracesUnsent)
    assert "403" in unsent.error


def test_spans_beyond_the_bound_are_dropped_while_the_collector_hangs(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace_export, "MOST_WAITING", 10)
    monkeypatch.setattr(trace_export, "BATCH", 10)
    collector.answers.clear()
    events = Events()
    with exported(tracing(collector.endpoint), "work", events) as spans:
        make(spans, 25)  # never waits
        assert events.dropped() == 15
        collector.answers.set()
        events.until(lambda: events.sent() == 10)
        make(spans, 10)
        events.until(lambda: events.sent() == 20)


def test_a_process_ends_although_its_collector_hangs(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "600")
    monkeypatch.setattr(trace_export, "CLOSE_S", 0.1)
    collector.answers.clear()
    with exported(tracing(collector.endpoint), "work", Events()) as spans:
        make(spans)
    assert collector.spans == []


def test_without_a_collector_the_line_is_reported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    events = Events()
    with exported(tracing(f"http://127.0.0.1:{free_port()}"), "work", events) as spans:
        make(spans)
        events.until(lambda: events.dropped() == 1)
        events.until(lambda: bool(events.of(TracesUnsent)))


def test_an_endpoint_without_the_package_is_an_error_of_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "andon.process.trace_export")

    async def role(life: object) -> None:
        raise AssertionError("it must not start")

    assert run("work", role, Settings(tracing=tracing("http://127.0.0.1:4318"))) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message == "andon work: tracing.endpoint: opentelemetry is missing here: pip install 'andon[traces]'"


def test_no_role_loads_the_exporter_where_nothing_is_traced() -> None:
    roles = "import sys, andon.cli, ingest.role, workers.role, sinks.role"  # the Redis client looks for the SDK itself
    code = f"{roles}; sys.exit('opentelemetry.exporter' in sys.modules or 'andon.process.trace_export' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_an_endpoint_is_a_url_without_a_login() -> None:
    for endpoint in ("collector:4318", "grpc://collector:4317", "http://", "http://me:secret@collector:4318"):
        with pytest.raises(ValueError, match=r"OTEL_EXPORTER_OTLP_HEADERS|http://HOST:PORT") as error:
            tracing(endpoint)
        assert "secret" not in str(error.value)
    assert tracing("http://collector:4318/").url == "http://collector:4318/v1/traces"
    assert tracing("https://traces.plant/otlp/v1/traces").url == "https://traces.plant/otlp/v1/traces"
