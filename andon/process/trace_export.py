"""Sends spans to an OpenTelemetry collector, by OTLP over HTTP. Loaded only where `tracing.endpoint` is set.

The SDK gathers spans and sends them on a thread of its own. Here is what it lacks: a count of the spans that nobody
got, one line when the collector is away and one when it is back, and an end that waits for no collector.
"""

import logging
import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags

from andon import __version__
from andon.events import Emit, TraceSpansDropped, TraceSpansSent, TracesResumed, TracesUnsent
from andon.process.tracing import TraceSpan, Value
from andon.settings import TracingSettings

MOST_WAITING = 2048
"""Spans in memory: about 2 MB. 2048: the SDK's own bound, some minutes at the default sample."""
BATCH = 512
CLOSE_S = 2.0
"""How long the end waits for the collector to take the last spans."""
_KINDS = {
    "publish": SpanKind.PRODUCER,
    "inspect": SpanKind.CONSUMER,
    "account": SpanKind.CONSUMER,
    "deliver": SpanKind.PRODUCER,
}


class OtelSpan:
    """A TraceSpan of the SDK."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        context = span.get_span_context()
        self._traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    @property
    def traceparent(self) -> str:
        return self._traceparent

    def end(self, at_ns: int, about: Mapping[str, Value]) -> None:
        self._span.set_attributes(about)
        self._span.end(at_ns)


class OtelSpans:
    """Trace spans, made by the SDK."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    def begin(
        self, name: str, parent: str | None, at_ns: int, about: Mapping[str, Value], beside: Sequence[str] = ()
    ) -> TraceSpan | None:
        context = Context() if parent is None else trace.set_span_in_context(NonRecordingSpan(_context(parent)))
        links = [Link(_context(other)) for other in beside]
        kind = _KINDS.get(name, SpanKind.INTERNAL)
        span = self._tracer.start_span(name, context, kind, about, links, at_ns)
        return OtelSpan(span) if span.is_recording() else None


class CountingExporter(SpanExporter):
    """Passes spans to `exporter`, counts them, and says once that it fails and once that it works again."""

    def __init__(self, exporter: SpanExporter, emit: Emit, complaint: "Complaint") -> None:
        self._exporter = exporter
        self._emit = emit
        self._complaint = complaint
        self._failing = False
        self._lock = threading.Lock()
        self._waiting = 0

    def admits(self) -> bool:
        """Whether there is room for one more; it counts as waiting then."""
        with self._lock:
            admitted = self._waiting < MOST_WAITING
            self._waiting += admitted
        if not admitted:
            self._emit(TraceSpansDropped(1))
        return admitted

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        with self._lock:
            self._waiting -= len(spans)
        failed = result is not SpanExportResult.SUCCESS
        self._emit(TraceSpansDropped(len(spans)) if failed else TraceSpansSent(len(spans)))
        if failed != self._failing:
            self._failing = failed
            self._emit(TracesUnsent(self._complaint.last) if failed else TracesResumed())
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class BoundedProcessor(SpanProcessor):
    """Takes a span only while fewer than `MOST_WAITING` are to be sent, so that nothing grows and nothing waits."""

    def __init__(self, counted: CountingExporter) -> None:
        self._counted = counted
        # its own queue never fills up: it would drop spans uncounted
        self._batches = BatchSpanProcessor(counted, 2 * MOST_WAITING, max_export_batch_size=BATCH)

    def on_end(self, span: ReadableSpan) -> None:
        if self._counted.admits():
            self._batches.on_end(span)

    def shutdown(self) -> None:
        self._batches.shutdown()  # type: ignore[no-untyped-call]  # the SDK leaves it so


class Complaint(logging.Handler):
    """Keeps the SDK's last complaint for the event, and the rest away from the log: there is one for each attempt."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = " ".join(record.getMessage().split())[:200]


@contextmanager
def exported(settings: TracingSettings, role: str, emit: Emit) -> Iterator[OtelSpans]:
    """Spans that go to the collector. At the end, waits `CLOSE_S` for the last ones. `settings` has an endpoint."""
    complaint = Complaint()
    logger = logging.getLogger("opentelemetry")
    logger.addHandler(complaint)
    logger.propagate = False
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(settings.sample)),
        resource=Resource.create(
            {
                "service.namespace": "andon",
                "service.name": f"andon-{role}",
                "service.version": __version__,
                "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
            }
        ),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BoundedProcessor(CountingExporter(OTLPSpanExporter(settings.url), emit, complaint)))
    try:
        yield OtelSpans(provider.get_tracer("andon", __version__))
    finally:
        closing = threading.Thread(target=provider.shutdown, name="traces.close", daemon=True)
        closing.start()
        closing.join(CLOSE_S)
        logger.removeHandler(complaint)


def _context(traceparent: str) -> SpanContext:
    """`traceparent` is valid: messages leave out any other."""
    _, trace_id, span_id, flags = traceparent.split("-")[:4]
    return SpanContext(int(trace_id, 16), int(span_id, 16), True, TraceFlags(int(flags, 16)))
