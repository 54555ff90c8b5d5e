"""The seams of the sinks: what an account hands over, and what takes it to the outside."""

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from pydantic import Field

from andon.errors import RetryableError
from andon.messages import CameraState, Defect, Detection, Inspection, Message, Outcome, PartOutcome, RecordRef

Verdict = Literal["pass", "fail", "unknown"]
"""`fail`: a defect class was detected. `unknown`: not inspected, or on a picture that is frozen, dark, over-exposed or
blurred. No result is never a pass."""


class SinkBusy(RetryableError):  # noqa: N818  # the name of the field
    """What is outside is away or slow: come again after `retry_after_s`."""


class EvidenceOrder(Message):
    """Store the picture of a defect: what the outbox holds for the channel `evidence`."""

    defect: Defect
    frame: RecordRef
    """The record of `defect.best_frame`."""
    path: str
    """Below the evidence URL; derived from the defect's id."""
    shape: Detection | None = Field(default=None, exclude_if=operator.not_)
    """What the model saw on that frame, where that is more than a box."""


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """One thing that must leave by one channel. `payload` is the JSON of a Defect, of a PartVerdict, or of an
    EvidenceOrder."""

    id: int
    """Ascending in the order in which items of a partition must leave."""
    channel: str
    partition: int
    event_id: str
    payload: bytes
    created_at: datetime
    attempts: int


class Channel(Protocol):
    """Where items leave. Sending the same event twice must have the effect of once, as far as the outside allows."""

    @property
    def name(self) -> str: ...

    async def send(self, item: OutboxItem) -> None:
        """Returns when the outside has acknowledged it. Raises SinkBusy to be called again later with the same item."""
        ...


class OutboxStore(Protocol):
    """The outbox's rows, as `outbox.Dispatcher` sees them."""

    async def waiting(self, channel: str, partitions: frozenset[int], limit: int) -> Sequence[OutboxItem]:
        """The oldest unsent items of these partitions, in order."""
        ...

    async def sent(self, ids: Sequence[int]) -> None: ...

    async def failed(self, ids: Sequence[int]) -> None:
        """Counts an attempt."""
        ...

    async def depth(self, partitions: frozenset[int]) -> Mapping[str, tuple[int, datetime | None]]:
        """For each channel: how many wait, and since when the oldest does."""
        ...


@dataclass(frozen=True, slots=True)
class CameraSnapshot:
    """A camera's latest state, whole: Redis is rebuilt from it, never trusted."""

    camera_id: str
    state: CameraState | Literal["unknown"]
    state_since: datetime | None
    detail: str
    session: str | None
    captured: int
    counts: Mapping[Outcome, int]
    """Of all sessions."""
    lost: int
    last_frame: str | None
    """Its id."""
    last_frame_at: datetime | None
    last_verdict: Verdict
    verdicts: Mapping[Verdict, int]
    fps: float
    open_defects: int
    parts: Mapping[PartOutcome, int] | None = None
    """Verdicts on parts; None where none are followed."""


class Live(Protocol):
    """The latest state of each camera and a capped stream of inspections."""

    async def show(self, snapshots: Sequence[CameraSnapshot], inspections: Sequence[Inspection]) -> None:
        """Replace what is shown. Never raises: what is outside may be away, and is rebuilt when it is back."""
        ...
