"""The order for a defect's picture, and the name under which that picture is stored."""

import hashlib
import operator
import re
from datetime import datetime

from pydantic import Field

from andon.messages import Defect, Detection, Message, RecordRef

MAX_NAME = 150
"""Characters of a picture's name, well below what file systems take."""


class EvidenceOrder(Message):
    """Store the picture of a defect: what the outbox holds for the channel `evidence`."""

    defect: Defect
    frame: RecordRef
    """The record of `defect.best_frame`."""
    path: str
    """Below the evidence URL; derived from the defect's id."""
    shape: Detection | None = Field(default=None, exclude_if=operator.not_)
    """The detection on that frame, if it has more than a box."""


def evidence_path(defect_id: str, opened_at: datetime) -> str:
    """camera/date/name.jpg; the name consists of letters, digits, dots, dashes and underscores only."""
    camera_id, rest = defect_id.split("/", 1)
    plain = rest.replace("/", "-")
    name = re.sub(r"[^A-Za-z0-9._-]|^[.]", "_", plain)[:MAX_NAME]
    if name != plain:  # two ids may have the same name now: a digest keeps them apart
        name += "-" + hashlib.sha256(rest.encode()).hexdigest()[:8]
    return f"{camera_id}/{opened_at:%Y-%m-%d}/{name}.jpg"
