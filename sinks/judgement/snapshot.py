"""A camera's account, reduced to its live state."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from andon.messages import CameraState, Outcome, PartOutcome
from sinks.judgement.parts import Parts
from sinks.judgement.rules import Verdict
from sinks.judgement.state import CameraAccount


@dataclass(frozen=True, slots=True)
class CameraSnapshot:
    """A camera's latest state, whole: Redis is rebuilt from it and never read back."""

    camera_id: str
    state: CameraState | Literal["stalled", "unknown"]
    """`stalled`: its frames are not acknowledged by the broker, `detail` says why."""
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
    ingester: str = ""
    """The one that captures it; empty: it does not say."""
    parts: Mapping[PartOutcome, int] | None = None
    """Verdicts on parts; None if parts are not followed."""


def snapshot(camera: CameraAccount) -> CameraSnapshot:
    state = camera.state
    totals, display = state.totals, state.display
    stalled = state.standing.reported
    counts: Mapping[Outcome, int] = {
        "inspected": totals.inspected,
        "shed": totals.shed,
        "quarantined": totals.quarantined,
    }
    return CameraSnapshot(
        camera_id=camera.camera_id,
        state="stalled" if stalled else display.state or "unknown",
        state_since=display.state_since,
        detail=stalled or display.detail,
        session=state.session,
        captured=totals.captured,
        counts=counts,
        lost=totals.lost,
        last_frame=display.last_frame,
        last_frame_at=display.last_frame_at,
        last_verdict=display.last_verdict if display.state in ("online", None) and not stalled else "unknown",
        verdicts={"pass": totals.passed, "fail": totals.failed, "unknown": totals.unknown},
        fps=display.fps,
        open_defects=sum(1 for defect in state.defects.values() if defect.opened_at is not None),
        ingester=display.ingester,
        parts=_part_counts(state.parts),
    )


def _part_counts(parts: Parts | None) -> Mapping[PartOutcome, int] | None:
    return None if parts is None else {"pass": parts.passed, "reject": parts.rejected, "unknown": parts.unknown}
