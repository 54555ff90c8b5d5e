"""A frame's way as one trace: each process adds a span for its part, with the steps of that part below it.

    capture                    ingest; the root, for every n-th frame
      queue, publish           the wait in memory and on disk; until the broker has acknowledged
      broker, inspect          a worker: the wait before it; its work, with decode, batch, infer, publish
        broker, account        a sink: the wait before it; judgement and transaction
          outbox, deliver      the wait for the channel; until the channel has acknowledged

A span's context travels in the record's header `traceparent` (W3C Trace Context), where the next process finds its
parent. A frame without it is traced by nobody. Nothing here blocks or fails a frame; `trace_export` sends the spans.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

from andon.clock import Clock
from andon.messages import HANDED_ON, Frame, Inspection, TracedMessage

Value = str | int | float
T = TypeVar("T", bound=TracedMessage)
PREEMPTED_S = 0.001
"""Two clocks that were read further apart than this are read again."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TraceSpan(Protocol):
    """A span that has begun."""

    @property
    def traceparent(self) -> str:
        """Its context, as the header has it."""
        ...

    def end(self, at_ns: int, about: Mapping[str, Value]) -> None: ...


class TraceSpans(Protocol):
    """Begins spans. Any thread."""

    def begin(
        self, name: str, parent: str | None, at_ns: int, about: Mapping[str, Value], beside: Sequence[str] = ()
    ) -> TraceSpan | None:
        """None: it is not sampled. `parent`: a `traceparent`; None: this is a root. `beside`: contexts to link."""
        ...


class Trace:
    """This process's span on a frame's way, and its steps, one after the other. For one thread at a time."""

    def __init__(self, spans: TraceSpans, clock: Clock, span: TraceSpan, began: tuple[float, int]) -> None:
        """`began`: when the span began, on the monotonic clock and in nanoseconds since 1970."""
        self._spans = spans
        self._clock = clock
        self._span = span
        self._start_s, self._base_ns = began
        self._last_s = self._start_s

    @property
    def traceparent(self) -> str:
        return self._span.traceparent

    def step(self, name: str, seconds: float | None = None, beside: Sequence[str] = (), **about: Value) -> None:
        """Add a step from the end of the last one on, for `seconds`; None: until now."""
        began_s, now_s = self._last_s, self._clock.monotonic()
        self._last_s = now_s if seconds is None else min(now_s, began_s + seconds)
        step = self._spans.begin(name, self.traceparent, self._at_ns(began_s), _named(about), beside)
        if step is not None:
            step.end(self._at_ns(self._last_s), {})

    def end(self, **about: Value) -> None:
        self._span.end(self._at_ns(self._clock.monotonic()), _named(about))

    def carried_by(self, message: T) -> T:
        """The message as it goes on from here."""
        return message.traced(self.traceparent)

    def _at_ns(self, at_s: float) -> int:
        """By the monotonic clock: a step lies within its span although somebody sets the host's clock."""
        return self._base_ns + int((at_s - self._start_s) * 1e9)


class Tracing:
    """The traces of a process. Any thread."""

    def __init__(self, spans: TraceSpans, clock: Clock) -> None:
        self.clock = clock
        """The role sets the line's time, so that the spans of several hosts fit together."""
        self._spans = spans

    # ---- ingest

    def captured(self, frame: Frame, pool: str, since_s: float) -> Frame:
        """The frame with a context, if the sampler takes it; else as it is. `since_s`: when its picture had come."""
        about = _of(frame) | _named({"pool": pool})
        span = self._spans.begin("capture", None, moment_ns(self.clock, since_s), about)
        if span is None:
            return frame
        span.end(moment_ns(self.clock), {})
        return self._handed_on(frame.traced(span.traceparent))

    def sending(self, frame: Frame) -> Frame:
        """It has left the queue, and goes to the broker."""
        if frame.traceparent is None:
            return frame
        self._record("queue", frame.traceparent, (_handed_on_at(frame), moment_ns(self.clock)), _of(frame))
        return self._handed_on(frame)

    def acknowledged(self, frame: Frame, since_s: float) -> None:
        if frame.traceparent is not None:
            times_ns = moment_ns(self.clock, since_s), moment_ns(self.clock)
            self._record("publish", frame.traceparent, times_ns, _of(frame))

    # ---- workers and sinks

    def inspecting(self, frame: Frame, pool: str) -> Trace | None:
        """The worker's part begins."""
        about = _of(frame) | _named({"pool": pool})
        return self._follow("inspect", frame.traceparent, ("broker", _handed_on_at(frame)), about)

    def accounting(self, inspection: Inspection, since_s: float) -> Trace | None:
        """A sink accounts for it, in a batch that has begun at `since_s`."""
        waited = ("broker", _ns(inspection.inspected_at))
        return self._follow("account", inspection.traceparent, waited, _of(inspection), since_s)

    def delivering(self, traceparent: str | None, since: datetime, **about: Value) -> Trace | None:
        """An alert leaves that has waited in the outbox since then."""
        return self._follow("deliver", traceparent, ("outbox", _ns(since)), _named(about))

    def _follow(
        self,
        name: str,
        parent: str | None,
        waited: tuple[str, int | None],
        about: Mapping[str, Value],
        start_s: float | None = None,
    ) -> Trace | None:
        """Begin this process's span, now or at `start_s`, behind the wait that is over. None: nobody traces this."""
        if parent is None:
            return None
        start_s = self.clock.monotonic() if start_s is None else start_s
        start_ns = moment_ns(self.clock, start_s)
        self._record(waited[0], parent, (waited[1], start_ns), about)
        span = self._spans.begin(name, parent, start_ns, about)
        return None if span is None else Trace(self._spans, self.clock, span, (start_s, start_ns))

    def _record(self, name: str, parent: str, times_ns: tuple[int | None, int], about: Mapping[str, Value]) -> None:
        """Add a span that is over. It begins at None: nobody knows when, and it is left out."""
        began_ns, ended_ns = times_ns
        if began_ns is None:
            return
        span = self._spans.begin(name, parent, min(began_ns, ended_ns), about)
        if span is not None:
            span.end(ended_ns, {})

    def _handed_on(self, frame: Frame) -> Frame:
        now_us = moment_ns(self.clock) // 1000
        return frame.model_copy(update={"tracestate": f"{HANDED_ON}{now_us}"})


def moment_ns(clock: Clock, at_s: float | None = None) -> int:
    """A time of the monotonic clock in nanoseconds since 1970; None: now."""
    for _ in range(3):
        before_s, now, after_s = clock.monotonic(), clock.now(), clock.monotonic()
        if after_s - before_s < PREEMPTED_S:
            break
    return _ns(now) - int((0.0 if at_s is None else after_s - at_s) * 1e9)


def _ns(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000


def _handed_on_at(frame: Frame) -> int | None:
    """When the last process or queue had done its part, in nanoseconds since 1970; None: it does not say."""
    return None if frame.tracestate is None else int(frame.tracestate.removeprefix(HANDED_ON)) * 1000


def _of(message: Frame | Inspection) -> dict[str, Value]:
    return _named({"camera": message.camera_id, "session": message.session, "seq": message.seq})


def _named(about: Mapping[str, Value]) -> dict[str, Value]:
    return {f"andon.{name}": value for name, value in about.items()}
