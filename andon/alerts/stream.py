"""The two Redis streams of events, and how an entry of one is read."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import ValidationError

from andon.errors import DecodeError
from andon.messages import Defect, PartVerdict
from andon.wire import complaint

Entry = tuple[bytes, dict[bytes, bytes]]
"""An entry's id and fields. No fields: it was trimmed from the stream before it was handled."""
Event = TypeVar("Event", Defect, PartVerdict)
TIMEOUT_S = 5.0
"""Connecting to Redis, and each answer from it."""
BLOCK_S = 5.0
"""How long one read waits on the server for a new entry."""


@dataclass(frozen=True, slots=True)
class Stream(Generic[Event]):
    """A stream's key behind the prefix, and the type of its events."""

    name: str
    ce_type: bytes
    event: type[Event]

    def key(self, prefix: str) -> str:
        return f"{prefix}:{self.name}"

    def read(self, entry: Entry) -> Event:
        """The event in `entry`. Raises DecodeError."""
        entry_id, fields = entry
        if fields.get(b"type", self.ce_type) != self.ce_type:
            unknown = fields[b"type"].decode(errors="replace")[:60]
            raise DecodeError(f"entry {entry_id.decode()}: type {unknown!r} is not known here")
        try:
            event = self.event.read_json(fields.get(b"event", b""))
        except ValidationError as error:
            raise DecodeError(f"entry {entry_id.decode()} is no {self.ce_type.decode()}: {complaint(error)}") from None
        return event.traced(fields.get(b"traceparent", b"").decode(errors="replace"))


DEFECTS = Stream("alerts", b"andon.defect.v1", Defect)
PARTS = Stream("parts", b"andon.part.v1", PartVerdict)
