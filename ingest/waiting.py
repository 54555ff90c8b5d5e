"""What waits for the broker, how much of it may, and frames that were given up as ranges (pure)."""

from dataclasses import dataclass
from datetime import datetime

from andon.messages import CameraStatus, Frame, Shed, ShedReason

Message = Frame | Shed | CameraStatus


@dataclass(frozen=True, slots=True)
class Bounds:
    frames: int
    size_bytes: int
    max_age_s: float | None = None
    """`freshest`: when full, the oldest go, and none older than this is sent. None, `lossless`: the newest go."""


def shed(frame: Frame, reason: ShedReason, now: datetime) -> Shed:
    """The range of this one frame."""
    return Shed(
        camera_id=frame.camera_id,
        session=frame.session,
        first_seq=frame.seq,
        last_seq=frame.seq,
        reason=reason,
        at=now,
    )


def joined(one: Message, other: Message) -> Shed | None:
    """Both as one range, where they are ranges that touch."""
    if not isinstance(one, Shed) or not isinstance(other, Shed):
        return None
    if (one.session, one.reason) != (other.session, other.reason) or one.last_seq + 1 != other.first_seq:
        return None
    return one.model_copy(update={"last_seq": other.last_seq, "at": other.at})


def identity(message: Message) -> tuple[str, str | None, int]:
    """Tells apart what is under way: a frame, a range and a last word of the same camera are never alike."""
    match message:
        case Frame():
            return "frame", message.session, message.seq
        case Shed():
            return "shed", message.session, message.first_seq
        case CameraStatus():
            return "status", message.session, int(message.at.timestamp() * 1e6)
