"""What happened, as data; logs and metrics are two subscribers of it.

The core emits one of these and knows nothing of who listens. Every duration is in seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

from andon.errors import QuarantineReason
from andon.messages import CameraState, PartOutcome, Severity, ShedReason, Transition

Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Event:
    """`name` is what the log calls it: dotted, noun first."""

    name: ClassVar[str] = "event"
    level: ClassVar[Level] = "info"


Emit = Callable[[Event], None]


def fan_out(*subscribers: Emit) -> Emit:
    """One `emit` that tells all of `subscribers`, in order."""

    def emit(event: Event) -> None:
        for subscriber in subscribers:
            subscriber(event)

    return emit


def silent(event: Event) -> None:
    """An `emit` that nobody listens to."""


# ---- every process


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
class Retrying(Event):
    """Something outside is away; the same attempt follows after `after_s`."""

    name: ClassVar[str] = "retry"
    level: ClassVar[Level] = "warning"
    what: str
    error: str
    attempt: int
    after_s: float


@dataclass(frozen=True, slots=True)
class KafkaNoise(Event):
    """What the Kafka client logged, summed up."""

    name: ClassVar[str] = "kafka.client"
    level: ClassVar[Level] = "warning"
    message: str
    count: int


# ---- stage (workers and sinks)


@dataclass(frozen=True, slots=True)
class PartitionsAssigned(Event):
    name: ClassVar[str] = "partitions.assigned"
    stage: str
    partitions: str


@dataclass(frozen=True, slots=True)
class PartitionsRevoked(Event):
    name: ClassVar[str] = "partitions.revoked"
    stage: str
    partitions: str
    abandoned: int
    """Records in flight that did not finish in time; they will be delivered again."""


@dataclass(frozen=True, slots=True)
class RecordsReceived(Event):
    name: ClassVar[str] = "records.received"
    level: ClassVar[Level] = "debug"
    stage: str
    count: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class RecordsDone(Event):
    name: ClassVar[str] = "records.done"
    level: ClassVar[Level] = "debug"
    stage: str
    count: int


@dataclass(frozen=True, slots=True)
class OffsetsCommitted(Event):
    name: ClassVar[str] = "offsets.committed"
    level: ClassVar[Level] = "debug"
    stage: str
    offsets: int


@dataclass(frozen=True, slots=True)
class CommitRefused(Event):
    """Another member owns the partition now; what was done will be delivered to it again."""

    name: ClassVar[str] = "commit.refused"
    level: ClassVar[Level] = "warning"
    stage: str
    error: str


@dataclass(frozen=True, slots=True)
class RecordsExpired(Event):
    """Retention passed these before they were read: what they held is lost. Both ends included."""

    name: ClassVar[str] = "records.expired"
    level: ClassVar[Level] = "error"
    stage: str
    topic: str
    partition: int
    first_offset: int
    last_offset: int


@dataclass(frozen=True, slots=True)
class Paused(Event):
    """A partition was held back for this long because what is in flight was at its bound."""

    name: ClassVar[str] = "stage.paused"
    level: ClassVar[Level] = "debug"
    stage: str
    partition: int
    seconds: float


# ---- ingest


@dataclass(frozen=True, slots=True)
class CameraChanged(Event):
    name: ClassVar[str] = "camera.changed"
    camera: str
    state: CameraState
    session: str
    detail: str


@dataclass(frozen=True, slots=True)
class CameraResized(Event):
    """The camera's pictures have another size from here on (after the roi, before shrinking); it goes on."""

    name: ClassVar[str] = "camera.resized"
    level: ClassVar[Level] = "warning"
    camera: str
    before: str
    now: str


@dataclass(frozen=True, slots=True)
class FrameCaptured(Event):
    name: ClassVar[str] = "frame.captured"
    level: ClassVar[Level] = "debug"
    camera: str
    size_bytes: int
    encode_s: float


@dataclass(frozen=True, slots=True)
class FrameCorrupt(Event):
    name: ClassVar[str] = "frame.corrupt"
    level: ClassVar[Level] = "warning"
    camera: str
    frame: str


@dataclass(frozen=True, slots=True)
class FramesShed(Event):
    """Given up by ingest or, as `stale`, by a worker."""

    name: ClassVar[str] = "frame.shed"
    level: ClassVar[Level] = "warning"
    camera: str
    reason: ShedReason
    count: int
    by_worker: bool = False


@dataclass(frozen=True, slots=True)
class FramePublished(Event):
    name: ClassVar[str] = "frame.published"
    level: ClassVar[Level] = "debug"
    camera: str
    publish_s: float


@dataclass(frozen=True, slots=True)
class SpoolFilling(Event):
    """The broker is away or slow and the mailbox full: frames go to disk."""

    name: ClassVar[str] = "spool.filling"
    level: ClassVar[Level] = "warning"
    camera: str


@dataclass(frozen=True, slots=True)
class SpoolFailed(Event):
    """The spool is full or its disk takes nothing: what the mailbox has no room for is shed."""

    name: ClassVar[str] = "spool.full"
    level: ClassVar[Level] = "error"
    camera: str
    error: str


@dataclass(frozen=True, slots=True)
class SpoolDrained(Event):
    """Everything that was spooled has been handed on, in order."""

    name: ClassVar[str] = "spool.drained"
    camera: str
    records: int


@dataclass(frozen=True, slots=True)
class SpoolFound(Event):
    """An earlier process left this: it is sent before anything new."""

    name: ClassVar[str] = "spool.found"
    level: ClassVar[Level] = "warning"
    camera: str
    records: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class SpoolDamaged(Event):
    """A part of the spool can't be read back; what it held is lost, and the account says so."""

    name: ClassVar[str] = "spool.damaged"
    level: ClassVar[Level] = "error"
    camera: str
    error: str


# ---- workers


@dataclass(frozen=True, slots=True)
class ModelLoaded(Event):
    name: ClassVar[str] = "model.loaded"
    weights: str
    digest: str
    runtime: str
    device: str
    classes: int
    imgsz: int
    warm_up_s: float
    precision: str = ""
    """fp32, fp16 or int8, where it is known."""


@dataclass(frozen=True, slots=True)
class BatchInferred(Event):
    name: ClassVar[str] = "batch.inferred"
    level: ClassVar[Level] = "debug"
    size: int
    wait_s: float
    """How long the batch's first frame waited for it to close."""
    infer_s: float
    runtime: str


@dataclass(frozen=True, slots=True)
class FrameInspected(Event):
    name: ClassVar[str] = "frame.inspected"
    level: ClassVar[Level] = "debug"
    camera: str
    detections: int
    decode_s: float
    latency_s: float
    """Capture to the broker's acknowledgement of the inspection."""


@dataclass(frozen=True, slots=True)
class RecordQuarantined(Event):
    name: ClassVar[str] = "record.quarantined"
    level: ClassVar[Level] = "warning"
    camera: str
    reason: QuarantineReason
    where: str
    error: str


# ---- sinks


@dataclass(frozen=True, slots=True)
class BatchAccounted(Event):
    name: ClassVar[str] = "batch.accounted"
    level: ClassVar[Level] = "debug"
    partition: int
    records: int
    redelivered: int
    seconds: float


@dataclass(frozen=True, slots=True)
class WriteRefused(Event):
    """The store refused a batch: another sink owns this partition now."""

    name: ClassVar[str] = "store.refused"
    level: ClassVar[Level] = "warning"
    partition: int
    expected: int


@dataclass(frozen=True, slots=True)
class EpochOpened(Event):
    """The log is not the one that the store knew: a broker came back empty, or another one."""

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
    """Why it is unknown; empty for the others."""


@dataclass(frozen=True, slots=True)
class SinkWrote(Event):
    """One write to something outside: Redis' live state, evidence, an alert channel."""

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
class AlertSent(Event):
    name: ClassVar[str] = "alert.sent"
    channel: str
    event_id: str
    latency_s: float
    """Capture of the frame that caused it, to the channel's acknowledgement."""


@dataclass(frozen=True, slots=True)
class OutboxGivenUp(Event):
    """What can never leave by its channel, so that it does not block those behind it."""

    name: ClassVar[str] = "outbox.given_up"
    level: ClassVar[Level] = "error"
    channel: str
    event_id: str
    error: str


@dataclass(frozen=True, slots=True)
class EvidenceStored(Event):
    name: ClassVar[str] = "evidence.stored"
    defect: str
    outcome: Literal["stored", "expired"]
