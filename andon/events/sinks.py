"""Events of sinks: the store, the verdicts and the channels."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from andon.alarms import AlarmChange, AlarmKind, AlarmState
from andon.events.event import Event, Level
from andon.messages import PartOutcome, Severity, Transition


@dataclass(frozen=True, slots=True)
class BatchAccounted(Event):
    name: ClassVar[str] = "batch.accounted"
    level: ClassVar[Level] = "debug"
    partition: int
    records: int
    redelivered: int
    seconds: float


@dataclass(frozen=True, slots=True)
class CapturedTwice(Event):
    """An ingester went on to capture a camera that another one had already: it was frozen, or cut off from Kafka."""

    name: ClassVar[str] = "camera.captured_twice"
    level: ClassVar[Level] = "warning"
    camera: str
    frames: int


@dataclass(frozen=True, slots=True)
class WriteRefused(Event):
    """The store refused a batch: another sink owns this partition now."""

    name: ClassVar[str] = "store.refused"
    level: ClassVar[Level] = "warning"
    partition: int
    expected: int


@dataclass(frozen=True, slots=True)
class StorePruned(Event):
    """Retention has deleted old rows and pictures."""

    name: ClassVar[str] = "store.pruned"
    rows: int
    pictures: int
    bytes: int
    """Of the pictures."""


@dataclass(frozen=True, slots=True)
class PruningFailed(Event):
    """Retention goes on at its next pass."""

    name: ClassVar[str] = "store.pruning_failed"
    level: ClassVar[Level] = "warning"
    error: str


@dataclass(frozen=True, slots=True)
class SessionPruned(Event):
    """Records came of a session that retention has deleted; they change nothing.

    They were delivered again after a year, or the clock of the ingester's host is a year behind.
    """

    name: ClassVar[str] = "session.pruned"
    level: ClassVar[Level] = "error"
    camera: str
    session: str


@dataclass(frozen=True, slots=True)
class EpochOpened(Event):
    """The topic's log is not the one that the store knows: the broker came back empty, or is another one."""

    name: ClassVar[str] = "log.epoch"
    level: ClassVar[Level] = "warning"
    topic: str
    partition: int
    epoch: int
    detail: str


@dataclass(frozen=True, slots=True)
class DefectChanged(Event):
    name: ClassVar[str] = "defect.changed"
    camera: str
    defect: str
    transition: Transition
    label: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class PartJudged(Event):
    name: ClassVar[str] = "part.judged"
    level: ClassVar[Level] = "debug"
    camera: str
    part: str
    verdict: PartOutcome
    reason: str
    """Why the verdict is unknown; empty for the other verdicts."""


@dataclass(frozen=True, slots=True)
class AlarmChanged(Event):
    """An alarm was raised, has returned, or somebody has acted on it."""

    name: ClassVar[str] = "alarm.changed"
    alarm: str
    kind: AlarmKind
    change: AlarmChange
    state: AlarmState
    severity: Severity
    by: str


@dataclass(frozen=True, slots=True)
class SinkWrote(Event):
    """One write to the outside: the live state in Redis, evidence, or an alert channel."""

    name: ClassVar[str] = "sink.wrote"
    level: ClassVar[Level] = "debug"
    sink: str
    seconds: float


@dataclass(frozen=True, slots=True)
class SinkFailed(Event):
    name: ClassVar[str] = "sink.failed"
    level: ClassVar[Level] = "warning"
    sink: str
    error: str
    retry_after_s: float


@dataclass(frozen=True, slots=True)
class SinkRefused(Event):
    """The outside refuses every write until a person mends what `error` names. The items wait meanwhile."""

    name: ClassVar[str] = "sink.refused"
    level: ClassVar[Level] = "error"
    sink: str
    error: str
    retry_after_s: float


@dataclass(frozen=True, slots=True)
class AlertSent(Event):
    name: ClassVar[str] = "alert.sent"
    channel: str
    event_id: str
    latency_s: float
    """From the capture of the frame that caused it to the channel's acknowledgement."""


@dataclass(frozen=True, slots=True)
class OutboxGivenUp(Event):
    """Events that leave no more: a channel can never send them, they are too old for it, or it is switched off."""

    name: ClassVar[str] = "outbox.given_up"
    level: ClassVar[Level] = "error"
    channel: str
    event_id: str
    """Empty where `count` events are given up at once."""
    error: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class ClipStored(Event):
    name: ClassVar[str] = "clip.stored"
    subject: str
    """The defect or the part that it shows."""
    outcome: Literal["stored", "expired"]
    frames: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class EvidenceStored(Event):
    name: ClassVar[str] = "evidence.stored"
    defect: str
    outcome: Literal["stored", "expired"]
