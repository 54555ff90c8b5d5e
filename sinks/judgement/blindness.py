"""Whether a camera is blind: it delivers no picture that is fit for a verdict. Pure."""

from datetime import datetime

from andon.alarms import AlarmRequest
from andon.messages import CameraStatus, ExpiredRange, Inspection, Severity, ShedRange
from sinks.judgement.rhythm import SilenceRule
from sinks.judgement.rules import JudgementRules
from sinks.judgement.spans import open_span
from sinks.judgement.state import CameraAccount

UNFIT = ("offline", "frozen", "dark", "overexposed", "blurred")
"""States of a camera in which it is blind."""
SILENT = "silent"
"""It is watched and has delivered nothing for too long, whatever its state says."""
SEVERITY: dict[str, Severity] = {"overexposed": "major", "blurred": "major", "dark": "major"}
"""Of a blind camera, by reason; `critical` for all others: nothing at all is inspected."""
OLDEST_S = 24 * 3600.0
"""A camera that nobody has heard of for longer is no news: perhaps it was removed while its ingester was dead."""


def severity(reason: str) -> Severity:
    return SEVERITY.get(reason, "critical")


def reason_after(
    camera: CameraAccount,
    message: Inspection | ShedRange | CameraStatus | ExpiredRange | AlarmRequest,
    rules: JudgementRules,
) -> str | None:
    """Why the camera is blind after this message, with which `camera` was taken on; None: it is not.

    Only a message that proves something changes the reason: a picture proves delivery, and a status or a check of the
    sinks measures the silence.
    """
    state = camera.state
    if state.display.state in UNFIT:
        return state.display.state
    if state.display.state == "stopped":
        return None
    match message:
        case CameraStatus():
            late = silent_unheard if state.display.state == "connecting" else _silent_by_rhythm
            return SILENT if late(camera, message.at, rules) else None
        case AlarmRequest(action="check"):
            return SILENT if silent_unheard(camera, message.at, rules) else None
        case Inspection() | ShedRange() if message.session == state.session:
            return None
    alarm = state.alarms.get(camera.camera_id, "blind")
    return SILENT if alarm is not None and alarm.active and alarm.label == SILENT else None


def _silent_by_rhythm(camera: CameraAccount, now: datetime, rules: JudgementRules) -> bool:
    return _silent(camera, now, rules.silence(camera.camera_id))


def silent_unheard(camera: CameraAccount, now: datetime, rules: JudgementRules) -> bool:
    """Whether the camera is silent by the line's time alone: for lack of records, not because one says so.

    That takes longer than a silence that its ingester reports: the workers may pause, or the camera may still connect.
    """
    limit = rules.silence(camera.camera_id)
    return _silent(camera, now, SilenceRule(max(limit.least_s, limit.own_s or 0.0, rules.unheard_s)))


def _silent(camera: CameraAccount, now: datetime, rule: SilenceRule) -> bool:
    if camera.state.display.state == "stopped":
        return False
    span = open_span(camera.state.delivery, camera.camera_id, now, rule)
    return span is not None and span.watched and (now - span.started_at).total_seconds() < OLDEST_S
