"""Reads the payload that the outbox holds for an alert channel: the JSON of a Defect or of a PartVerdict."""

from pydantic import TypeAdapter, ValidationError

from andon.errors import DecodeError
from andon.messages import Defect, PartVerdict
from sinks.outbox_item import OutboxItem

_EVENT: TypeAdapter[Defect | PartVerdict] = TypeAdapter(Defect | PartVerdict)


def event_of(item: OutboxItem) -> Defect | PartVerdict:
    """The event to send. Raises DecodeError (poison) for any other payload."""
    try:
        return _EVENT.validate_json(item.payload)
    except ValidationError as error:
        count = error.error_count()
        raise DecodeError(f"outbox item {item.id}: no Defect or PartVerdict: {count} fields are wrong") from None
