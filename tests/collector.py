"""An OpenTelemetry collector in the test's process: OTLP over HTTP, with the spans as it received them."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, slots=True)
class ReceivedSpan:
    service: str
    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    """Empty: a root."""
    start_ns: int
    end_ns: int
    about: dict[str, Any]
    links: tuple[str, ...] = ()
    """Ids of spans."""

    @property
    def traceparent(self) -> tuple[str, str]:
        """The two ids in a `traceparent`; its flags don't matter to anybody."""
        return self.trace_id, self.span_id


def ids(traceparent: str) -> tuple[str, str]:
    _, trace_id, span_id, _ = traceparent.split("-")
    return trace_id, span_id


@dataclass
class Collector:
    """`with Collector() as collector:` it listens at `collector.endpoint`."""

    status: int = 200
    """Its answer. Set it at any time."""
    spans: list[ReceivedSpan] = field(default_factory=list)
    """Those that it took."""
    requests: int = 0
    answers: threading.Event = field(default_factory=threading.Event)
    """Clear it, and requests hang."""

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self._take))
        self._server.daemon_threads = True
        self.answers.set()
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="collector", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.answers.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def traces(self) -> dict[str, list[ReceivedSpan]]:
        """The spans of each trace, in the order of their beginning."""
        found: dict[str, list[ReceivedSpan]] = {}
        for span in sorted(self.spans.copy(), key=lambda span: span.start_ns):
            found.setdefault(span.trace_id, []).append(span)
        return found

    def _take(self, path: str, body: bytes) -> int:
        self.requests += 1
        self.answers.wait(60)
        if path != "/v1/traces":
            return 404
        if self.status == 200:
            self.spans += _spans(body)
        return self.status


def _handler(take: Callable[[str, bytes], int]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(take(self.path, body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Nothing on stderr."""

    return Handler


def _spans(body: bytes) -> list[ReceivedSpan]:
    request = ExportTraceServiceRequest.FromString(body)
    return [
        ReceivedSpan(
            service=_attributes(resource.resource.attributes)["service.name"],
            name=span.name,
            kind=span.kind,
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            start_ns=span.start_time_unix_nano,
            end_ns=span.end_time_unix_nano,
            about=_attributes(span.attributes),
            links=tuple(link.span_id.hex() for link in span.links),
        )
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _attributes(given: Any) -> dict[str, Any]:
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in given}
