"""The order for a clip, as the outbox carries it."""

from andon.messages import Message, RecordRef


class ClipOrder(Message):
    """Store the clip of a defect or of a rejected part: a row of the outbox for the channel `clips`."""

    subject: str
    """The id of the defect or of the part."""
    frame_id: str
    """The frame around which the clip is cut."""
    frame: RecordRef
    """Its record."""
    path: str
    """Below the evidence URL."""
