"""What the outbox holds for an alert channel: the JSON of a Defect."""

from pydantic import ValidationError

from andon.errors import DecodeError
from andon.messages import Defect
from sinks.sink import OutboxItem


def defect_of(item: OutboxItem) -> Defect:
    """The event to send. Raises DecodeError (poison) where the payload is none."""
    try:
        return Defect.model_validate_json(item.payload)
    except ValidationError as error:
        raise DecodeError(f"outbox item {item.id}: no Defect: {error.error_count()} fields are wrong") from None
