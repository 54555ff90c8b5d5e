"""Traces whose spans a test looks at, made by the SDK itself."""

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from andon.clock import Clock
from andon.process.trace_export import OtelSpans
from andon.process.tracing import Tracing


class Traces:
    """`tracing` for the code under test; `spans` that have ended."""

    def __init__(self, clock: Clock, sample: float = 1.0) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(sample)), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracing = Tracing(OtelSpans(provider.get_tracer("tests")), clock)

    @property
    def spans(self) -> list[ReadableSpan]:
        """In the order of their end."""
        return list(self._exporter.get_finished_spans())

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]


def seconds(span: ReadableSpan) -> tuple[float, float]:
    """When it began, and how long it took."""
    assert span.start_time is not None
    assert span.end_time is not None
    return span.start_time / 1e9, (span.end_time - span.start_time) / 1e9


def context(span: ReadableSpan) -> str:
    """As in the header `traceparent`."""
    own = span.get_span_context()
    assert own is not None
    return f"00-{own.trace_id:032x}-{own.span_id:016x}-{own.trace_flags:02x}"


def parent(span: ReadableSpan) -> int | None:
    """The parent's id."""
    return None if span.parent is None else span.parent.span_id
