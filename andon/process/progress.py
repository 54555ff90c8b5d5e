"""Knows whether work that waits gets done: a process may live and stand still all the same.

A hang is a call that does not return, and ends the process (`watchdog`). A stall is work that waits while nothing of
it gets done: the broker acknowledges nothing, the store is locked. The process lives and tries on, so `/livez` stays
green; `/readyz` is red and says why. Work that does not exist can't stall: an idle line is ready.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from andon.clock import Clock
from andon.events import Event, KafkaNoise, Retrying, SinkFailed, SinkRefused, WorkResumed, WorkStalled
from andon.process.watchdog import Watchdog

CHECK_S = 1.0
"""Interval between two looks at each kind of work."""
FACTOR = 10.0
"""Work may stand still for this many times its usual interval, if that is more than `run.stalled_s`."""
WEIGHT = 0.2
"""Of the latest interval in the usual one."""
LONG_CALL_S = 5.0
"""A call that has run for longer is named as the reason."""
KAFKA = "kafka"
"""The source of what the Kafka client logs."""
UNKNOWN = "nothing has said why"


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of work as it stands."""

    done: int
    """Changes whenever some of it gets done."""
    waits: bool
    """Some of it waits to be done."""
    reason: str = ""
    """Why nothing of it gets done, where that is known here."""


@dataclass(frozen=True, slots=True)
class Stall:
    """Work that has stood still for longer than it may."""

    what: str
    seconds: float
    reason: str

    def __str__(self) -> str:
        return f"{self.what} has made no progress for {self.seconds:.0f} s (run.stalled_s): {self.reason}"


class Complaints:
    """A subscriber of events: what the broker, the store and the channels last said went wrong. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest: dict[str, tuple[float, str]] = {}
        """By source: when, and the text."""

    def __call__(self, event: Event) -> None:
        match event:
            case Retrying():
                self._note(event.what, event.error)
            case SinkFailed() | SinkRefused():
                self._note(event.sink, event.error)
            case KafkaNoise():
                self._note(KAFKA, f"the Kafka client says: {event.message}")

    def since(self, at_s: float, sources: Collection[str]) -> str:
        """The latest complaint of each source that is not older than `at_s`, in the order of `sources`."""
        found = [self._latest[source] for source in sources if source in self._latest]
        return "; ".join(text for said_s, text in found if said_s >= at_s)

    def newest(self) -> str:
        """The latest complaint of all; empty if there is none."""
        return max(self._latest.copy().values(), default=(0.0, ""))[1]

    def _note(self, source: str, text: str) -> None:
        self._latest[source] = (self._clock.monotonic(), text)


class Duty:
    """One kind of work that the process must get done. `stalled_s` may be read from any thread."""

    def __init__(self, what: str, look: Callable[[], Work], sources: Collection[str], usual_s: float) -> None:
        """`look` is called on the event loop. `sources`: whose complaints say why nothing gets done.

        `usual_s`: the interval between two pieces of work that is to be expected, in seconds; 0: it is learned.
        """
        self.what = what
        self.sources = sources
        self.reported = False
        """An event has said that it is stalled."""
        self._look = look
        self._usual_s = usual_s
        self._since_s = self._now_s = 0.0
        self._work = Work(0, waits=False)

    @property
    def stalled_s(self) -> float:
        """For how long nothing of it has been done although some waits; 0: it is idle, or moves."""
        return max(0.0, self._now_s - self._since_s) if self._work.waits else 0.0

    @property
    def since_s(self) -> float:
        """The time of the last progress, on the monotonic clock."""
        return self._since_s

    @property
    def reason(self) -> str:
        """Why it stands still, as far as the work itself knows."""
        return self._work.reason

    def limit_s(self, least_s: float) -> float:
        """For how long it may stand still."""
        return max(least_s, FACTOR * self._usual_s)

    def check(self, now_s: float, least_s: float) -> None:
        """Look at the work."""
        before, self._work = self._work, self._look()
        self._now_s = now_s
        if before.waits and self._work.waits and self._work.done == before.done:
            return
        if before.waits and self._work.done != before.done:
            # a stall that has ended is no rhythm: it counts as no longer than the limit
            interval_s = min(now_s - self._since_s, self.limit_s(least_s))
            self._usual_s += WEIGHT * (interval_s - self._usual_s)
        self._since_s = now_s


class Progress:
    """The duties of a process. Event loop only, apart from `stalls` and the complaints."""

    def __init__(self, clock: Clock, watchdog: Watchdog, stalled_s: float) -> None:
        """`stalled_s`: for how long work may stand still at least (`run.stalled_s`)."""
        self.complaints = Complaints(clock)
        self._clock = clock
        self._watchdog = watchdog
        self._least_s = stalled_s
        self._duties: list[Duty] = []

    def duty(self, what: str, look: Callable[[], Work], sources: Collection[str] = (), *, usual_s: float = 0.0) -> Duty:
        """Watch one more kind of work from now on. `what` is the subject of the line that a user reads."""
        duty = Duty(what, look, sources, usual_s)
        self._duties.append(duty)
        return duty

    def end(self, duty: Duty) -> None:
        """Watch it no longer: whoever did this work has ended."""
        if duty in self._duties:
            self._duties.remove(duty)

    def check(self) -> list[Event]:
        """Look at all work. Returns the events of what has begun to stand still, and of what moves again."""
        events: list[Event] = []
        for duty in self._duties:
            stood_s = duty.stalled_s
            duty.check(self._clock.monotonic(), self._least_s)
            stall = self.stall_of(duty)
            if stall is not None and not duty.reported:
                events.append(WorkStalled(stall.what, stall.seconds, stall.reason))
            elif stall is None and duty.reported:
                events.append(WorkResumed(duty.what, stood_s))
            duty.reported = stall is not None
        return events

    def stall_of(self, duty: Duty) -> Stall | None:
        """None: this duty is not stalled."""
        if duty.stalled_s <= duty.limit_s(self._least_s):
            return None
        return Stall(duty.what, duty.stalled_s, self._reason(duty))

    def stalls(self) -> list[Stall]:
        """Everything that stands still now."""
        return [stall for duty in self._duties.copy() if (stall := self.stall_of(duty)) is not None]

    def startup(self) -> str:
        """What a process that is not ready yet waits for."""
        return self._watchdog.longest(0.0) or self.complaints.newest() or "it is starting"

    def _reason(self, duty: Duty) -> str:
        complaint = self.complaints.since(duty.since_s - CHECK_S, duty.sources)
        reasons = [duty.reason, complaint, self._watchdog.longest(LONG_CALL_S)]
        return "; ".join(reason for reason in reasons if reason) or UNKNOWN
