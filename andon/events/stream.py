"""Events of a stage, which reads records for workers and sinks alike."""

from dataclasses import dataclass
from typing import ClassVar

from andon.events.event import Event, Level


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
    """Records in flight that did not finish in time; they are delivered again."""


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
    """Another member owns the partition now; the broker delivers the uncommitted records to it again."""

    name: ClassVar[str] = "commit.refused"
    level: ClassVar[Level] = "warning"
    stage: str
    error: str


@dataclass(frozen=True, slots=True)
class RecordsExpired(Event):
    """Retention removed these records before they were read: their content is lost. Both ends included."""

    name: ClassVar[str] = "records.expired"
    level: ClassVar[Level] = "error"
    stage: str
    topic: str
    partition: int
    first_offset: int
    last_offset: int


@dataclass(frozen=True, slots=True)
class TopicUnfit(Event):
    """A setting of a topic is not what the line relies on."""

    name: ClassVar[str] = "topic.unfit"
    level: ClassVar[Level] = "warning"
    topic: str
    setting: str
    """The setting, what follows from it, and what to do."""


@dataclass(frozen=True, slots=True)
class LogCut(Event):
    """The broker has lost the end of a log: the records at these offsets, which this process had sent or read, are
    gone, and others take their place. Both ends included."""

    name: ClassVar[str] = "log.cut"
    level: ClassVar[Level] = "error"
    who: str
    """The stage that had read them, or `producer`."""
    topic: str
    partition: int
    first_offset: int
    last_offset: int


@dataclass(frozen=True, slots=True)
class Paused(Event):
    """A partition was held back for `seconds` because the records in flight had reached their bound."""

    name: ClassVar[str] = "stage.paused"
    level: ClassVar[Level] = "debug"
    stage: str
    partition: int
    seconds: float
