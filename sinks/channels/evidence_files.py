"""The files that make up a defect's evidence, by the path of its picture, and the facts that lie beside it.

camera/date/NAME.jpg           the picture with the defect marked, as alerts name it
camera/date/NAME.raw.jpg       the untouched picture, the very bytes that were inspected (.png where they are a PNG); of
                               video the decoded frame, as a JPEG of high quality
camera/date/NAME.json          facts: which frame, its digest, what the model saw, by which model and thresholds
camera/date/NAME.expired.json  in place of all three: the frame was gone before it could be stored
"""

import hashlib
import operator
from datetime import datetime
from pathlib import PurePosixPath

from pydantic import Field

from andon.messages import Defect, Detection, Frame, Message, RecordRef
from sinks.judgement.consequences import EvidenceOrder, Thresholds

RAW_SUFFIXES = {"image/jpeg": ".raw.jpg", "image/png": ".raw.png"}


class EvidenceFacts(Message):
    """What stands beside a defect's picture."""

    frame: str
    """The id of the frame that the picture shows."""
    record: RecordRef
    captured_at: datetime
    content_type: str
    """Of the untouched picture."""
    width: int
    """Of the frame in pixels, as are all coordinates."""
    height: int
    bytes: int
    sha256: str
    """Of the untouched picture."""
    defect: Defect
    """As it was when the picture was ordered: its box is the one on this picture."""
    shape: Detection | None = Field(default=None, exclude_if=operator.not_)
    model: str = ""
    """sha256 of the model file that saw it."""
    thresholds: Thresholds | None = None


def facts_of(order: EvidenceOrder, frame: Frame, content_type: str, raw: bytes) -> EvidenceFacts:
    """`raw`: the untouched picture, in the encoding `content_type`."""
    return EvidenceFacts(
        frame=frame.frame_id,
        record=order.frame,
        captured_at=frame.captured_at,
        content_type=content_type,
        width=frame.width,
        height=frame.height,
        bytes=len(raw),
        sha256=hashlib.sha256(raw).hexdigest(),
        defect=order.defect,
        shape=order.shape,
        model=order.model,
        thresholds=order.thresholds,
    )


def facts_path(path: str) -> str:
    return str(PurePosixPath(path).with_suffix(".json"))


def raw_path(path: str, content_type: str) -> str:
    return str(PurePosixPath(path).with_suffix(RAW_SUFFIXES[content_type]))


def expired_path(path: str) -> str:
    return str(PurePosixPath(path).with_suffix(".expired.json"))
