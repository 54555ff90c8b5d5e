"""Spans of time in which a camera that should have been watched delivered nothing. Pure.

A gap shows between two frames: if more than `silence_s` passed for each number between them, the camera itself was
silent, whatever became of the frames in between. Both ends are the frames' own capture times, so a camera whose clock
is off is judged by one clock. Only a span that is still open is reckoned from the host's clock (the heartbeats).
"""

from dataclasses import dataclass
from datetime import datetime

from andon.messages import CameraState, CameraStatus
from sinks.judgement.ledger import Ended

STOPPED = "stopped"
MAX_DETAIL = 300
"""Characters of a reason; a database takes no zero bytes in it."""


@dataclass(frozen=True, slots=True)
class Span:
    """A camera's silence. `ended_at` is None while it lasts."""

    camera_id: str
    started_at: datetime
    ended_at: datetime | None
    reason: str
    watched: bool
    """False: the camera had been stopped on purpose, so that its silence is no fault."""


@dataclass(slots=True)
class Watch:
    """What has to be remembered of a camera to see its silences."""

    session: str | None = None
    """Of the last frame, as are the next two."""
    seq: int = -1
    frame_at: datetime | None = None
    shed_at: datetime | None = None
    """When ingest gave up frames of that session last: they were delivered, too."""
    grew_at: datetime | None = None
    """By the host's clock, when the number captured was last seen to have grown, by a frame or by a heartbeat."""
    since: datetime | None = None
    """First status ever: what a camera that has never delivered is silent since."""
    state: CameraState | None = None
    """The most telling state since the last frame: `stopped`, else `offline`, else None."""
    detail: str = ""


def saw_frame(watch: Watch, camera_id: str, frame: tuple[str, int, datetime], silence_s: float) -> Span | None:
    """A frame (session, number, capture time) was delivered. Returns the silence that it ends, if there was one.

    Frames come in order; one of a session means that the sessions before it are over.
    """
    session, seq, at = frame
    span = None
    started_at = _silent_since(watch, session)
    if started_at is not None:
        numbers = max(1, seq - watch.seq) if session == watch.session else 1
        if (at - started_at).total_seconds() > silence_s * numbers:
            reason, watched = _why(watch)
            span = Span(camera_id, started_at, at, reason, watched)
    watch.session, watch.seq, watch.frame_at, watch.shed_at = session, seq, at, None
    watch.state, watch.detail = None, ""
    return span


def saw_growth(watch: Watch, at: datetime) -> None:
    """A frame had been captured by `at`, by a host's clock: while frames come, heartbeats are rare."""
    watch.grew_at = at if watch.grew_at is None else max(watch.grew_at, at)


def saw_shed(watch: Watch, at: datetime) -> None:
    """Ingest gave frames up: the camera delivered them."""
    watch.shed_at = at


def saw_status(watch: Watch, status: CameraStatus, *, grew: bool) -> None:
    """`grew`: the number captured has risen since the status before."""
    if watch.since is None:
        watch.since = status.at
    if grew:
        watch.grew_at = status.at
    if status.state == "stopped" or (status.state == "offline" and watch.state != "stopped"):
        watch.state, watch.detail = status.state, status.detail.replace("\0", "")[:MAX_DETAIL]


def ended_without_word(watch: Watch, how: Ended | None) -> None:
    """The session before the next frame's was cut off: its ingester died."""
    if how != "final" and watch.state is None:
        watch.detail = "ingester_died"


def lost_log(watch: Watch, how: str) -> None:
    """Whatever follows, the log that held what was delivered meanwhile is gone."""
    if watch.state is None:
        watch.detail = how


def open_span(watch: Watch, camera_id: str, now: datetime, silence_s: float) -> Span | None:
    """The silence that lasts at `now`, by the host's clock."""
    started_at = watch.grew_at or watch.frame_at or watch.since
    if started_at is None or (now - started_at).total_seconds() <= silence_s:
        return None
    reason, watched = _why(watch)
    return Span(camera_id, started_at, None, reason, watched)


def _silent_since(watch: Watch, session: str) -> datetime | None:
    if watch.frame_at is None:
        return watch.since if watch.state == "offline" else None
    if session != watch.session and watch.shed_at is not None:
        return max(watch.frame_at, watch.shed_at)
    return watch.frame_at


def _why(watch: Watch) -> tuple[str, bool]:
    """(reason, watched)"""
    if watch.state == "stopped":
        return STOPPED, False
    if watch.state == "offline":
        return f"offline: {watch.detail}" if watch.detail else "offline", True
    return watch.detail or "unknown", True
