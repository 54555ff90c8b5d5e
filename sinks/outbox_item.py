"""One row of the outbox: what a channel sends, and what the store keeps until the channel has sent it."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """`payload` is the JSON of a Defect, of a PartVerdict, or of an EvidenceOrder."""

    id: int
    """Ascending in the order in which items of a partition must leave."""
    channel: str
    partition: int
    event_id: str
    payload: bytes = field(repr=False)
    created_at: datetime
    attempts: int
    traceparent: str | None = None
    """The span that sends it, for the channel to pass on where it can. None: it is not traced."""
