"""Whether a camera's frames get inspected, as far as its log shows it."""

from dataclasses import dataclass
from datetime import datetime

from andon.messages import Inspection, ShedRange

PAUSE_S = 60.0
"""A camera that delivered nothing for longer begins anew: what became of its earlier frames says nothing of now."""


@dataclass(slots=True)
class Standing:
    """The news of one camera's progress."""

    reported: str = ""
    """Why its ingester says that its frames stand still; empty: they do not."""
    accounted_at: datetime | None = None
    """When a worker last finished a frame of it, by the worker's clock."""
    refused_since: datetime | None = None
    """Since when each frame was shed or quarantined and none inspected, by their capture times; None: one was."""
    refused_at: datetime | None = None
    """Capture time of the last of these."""
    refused: str = ""
    """What became of the last of these."""


def saw_inspection(standing: Standing, inspection: Inspection) -> None:
    standing.accounted_at = inspection.inspected_at
    if inspection.outcome == "inspected":
        standing.refused_since = standing.refused_at = None
        standing.refused = ""
    else:
        _refused(standing, inspection.captured_at, f"{inspection.outcome} as {inspection.reason}")


def saw_shed(standing: Standing, shed: ShedRange) -> None:
    _refused(standing, shed.at, f"shed as {shed.reason}")


def _refused(standing: Standing, at: datetime, what: str) -> None:
    paused = standing.refused_at is None or (at - standing.refused_at).total_seconds() > PAUSE_S
    standing.refused_since = at if paused or standing.refused_since is None else standing.refused_since
    standing.refused_at, standing.refused = at, what
