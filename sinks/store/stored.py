"""The data that goes into the store and comes out of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from andon.alarms import Alarm
from andon.messages import Defect, PartVerdict
from andon.stream.offsets import Partition
from sinks.judgement.ledger import SessionLedger
from sinks.judgement.quarters import QuarterFrames
from sinks.judgement.spans import Span
from sinks.judgement.state import CameraAccount, JudgementState
from sinks.store.pruned import PrunedTotals


@dataclass(frozen=True, slots=True)
class Position:
    """Up to where a partition has been accounted for, in which log."""

    epoch: int
    log: str
    """The log's name where it has one (`kafka.epoch`), else empty."""
    next_offset: int


@dataclass(frozen=True, slots=True)
class Leaving:
    """One row for the outbox."""

    channel: str
    event_id: str
    payload: bytes = field(repr=False)
    traceparent: str | None = None
    """The span that caused it; None: it is not traced."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The changes that some records of one partition make."""

    partition: Partition
    expected: Position
    """Where the batch begins."""
    next_offset: int
    """Where it ends."""
    at: datetime
    states: Sequence[CameraAccount] = ()
    events: Sequence[Defect] = ()
    verdicts: Sequence[PartVerdict] = ()
    leaving: Sequence[Leaving] = ()
    spans: Sequence[Span] = ()
    frames: Sequence[QuarterFrames] = ()
    alarms: Sequence[Alarm] = ()


@dataclass(frozen=True, slots=True)
class StoredPartition:
    """Everything that the store knows of one partition."""

    position: Position | None
    """None: nothing of it was ever accounted for."""
    cameras: dict[str, CameraAccount]
    """Each with the ledgers of its open sessions."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A new epoch of a partition's log: where it begins, why, and the cameras that it changes."""

    partition: Partition
    position: Position
    at: datetime
    detail: str
    states: Sequence[CameraAccount] = ()
    expected: Position | None = None
    """Where the account stood when that was decided; None: there was none."""
    frames: Sequence[QuarterFrames] = ()
    """What it adds to the quarters: frames that are lost with the former log."""


@dataclass(frozen=True, slots=True)
class StoredAccounts:
    """What stands in the store of all cameras."""

    states: Sequence[tuple[str, JudgementState]]
    """By camera; one that moved between partitions has several."""
    ledgers: Mapping[tuple[str, str], SessionLedger]
    """By camera and session, in the order of their names."""
    spans: Sequence[Span]
    pruned: Mapping[str, PrunedTotals] = field(default_factory=dict)
    """By camera: the totals of the rows that retention has deleted."""
    changed_at: datetime | None = None
    """When a sink last changed an account, by its own clock. None: none was ever changed."""
