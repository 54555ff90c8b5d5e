"""Events of every process: its life, and its retries."""

from dataclasses import dataclass
from typing import ClassVar

from andon.events.event import Event, Level


@dataclass(frozen=True, slots=True)
class ProcessStarted(Event):
    name: ClassVar[str] = "process.started"
    role: str
    version: str
    http: str
    """host:port of /livez, /readyz and /metrics."""


@dataclass(frozen=True, slots=True)
class ProcessReady(Event):
    name: ClassVar[str] = "process.ready"
    role: str


@dataclass(frozen=True, slots=True)
class ProcessStopping(Event):
    name: ClassVar[str] = "process.stopping"
    role: str
    signal: str
    drain_s: float


@dataclass(frozen=True, slots=True)
class ProcessStopped(Event):
    name: ClassVar[str] = "process.stopped"
    role: str
    drained: bool


@dataclass(frozen=True, slots=True)
class SettingOutdated(Event):
    """A key of line.yaml that a later version may no longer read, and what to write instead."""

    name: ClassVar[str] = "setting.outdated"
    level: ClassVar[Level] = "warning"
    what: str


@dataclass(frozen=True, slots=True)
class CallbackFailed(Event):
    """A callback of the event loop raised an error that nobody foresaw. The process goes on."""

    name: ClassVar[str] = "callback.failed"
    level: ClassVar[Level] = "error"
    error: str


@dataclass(frozen=True, slots=True)
class ServerUnfit(Event):
    """A server's version, mode or setting that works, and that may cost data or time: what it is, what to change."""

    name: ClassVar[str] = "server.unfit"
    level: ClassVar[Level] = "warning"
    what: str


@dataclass(frozen=True, slots=True)
class Retrying(Event):
    """Something outside is away; the next attempt follows after `after_s`."""

    name: ClassVar[str] = "retry"
    level: ClassVar[Level] = "warning"
    what: str
    error: str
    attempt: int
    after_s: float


@dataclass(frozen=True, slots=True)
class ProducerReplaced(Event):
    """The broker had refused a batch, and would have refused all that follow: a new producer sends on."""

    name: ClassVar[str] = "producer.replaced"
    level: ClassVar[Level] = "warning"
    reason: str


@dataclass(frozen=True, slots=True)
class WorkStalled(Event):
    """Work waits, and for longer than `run.stalled_s` nothing of it has been done. The process is not ready."""

    name: ClassVar[str] = "work.stalled"
    level: ClassVar[Level] = "error"
    what: str
    seconds: float
    reason: str
    """What the broker, the store, the channel or the camera said last."""


@dataclass(frozen=True, slots=True)
class WorkResumed(Event):
    """Work that stood still gets done again, or there is none any more."""

    name: ClassVar[str] = "work.resumed"
    level: ClassVar[Level] = "warning"
    what: str
    seconds: float
    """For which it stood still."""


@dataclass(frozen=True, slots=True)
class KafkaNoise(Event):
    """Lines that the Kafka client logged: the latest one, and how many there were."""

    name: ClassVar[str] = "kafka.client"
    level: ClassVar[Level] = "warning"
    message: str
    count: int


@dataclass(frozen=True, slots=True)
class ClockSkew(Event):
    """This host's clock and a broker's differ. The line goes by the broker's until they agree."""

    name: ClassVar[str] = "clock.skew"
    level: ClassVar[Level] = "warning"
    peer: str
    offset_s: float
    """By how much this host's clock is ahead; below 0: behind."""
    state: str
    """`began`, `changed` or `ended`."""


@dataclass(frozen=True, slots=True)
class ClockStepped(Event):
    """Somebody set this host's clock under the running process."""

    name: ClassVar[str] = "clock.stepped"
    level: ClassVar[Level] = "warning"
    step_s: float
    """Above 0: forward."""
    now: str


@dataclass(frozen=True, slots=True)
class ClockUnset(Event):
    """This host's clock shows a time before this program was made: it has lost the time."""

    name: ClassVar[str] = "clock.unset"
    level: ClassVar[Level] = "error"
    now: str


@dataclass(frozen=True, slots=True)
class TraceSpansSent(Event):
    """The collector has taken spans."""

    name: ClassVar[str] = "traces.sent"
    level: ClassVar[Level] = "debug"
    count: int


@dataclass(frozen=True, slots=True)
class TraceSpansDropped(Event):
    """Spans are gone: the collector did not take them, or too many waited for it."""

    name: ClassVar[str] = "traces.dropped"
    level: ClassVar[Level] = "debug"
    count: int


@dataclass(frozen=True, slots=True)
class TracesUnsent(Event):
    """The collector takes no spans. The line goes on; they are dropped and counted until it takes them again."""

    name: ClassVar[str] = "traces.unsent"
    level: ClassVar[Level] = "warning"
    error: str


@dataclass(frozen=True, slots=True)
class TracesResumed(Event):
    """The collector takes spans again."""

    name: ClassVar[str] = "traces.resumed"
