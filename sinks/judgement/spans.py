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
class LastDelivery:
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


def saw_frame(
    delivery: LastDelivery, camera_id: str, frame: tuple[str, int, datetime], silence_s: float
) -> Span | None:
    """A frame (session, number, capture time) was delivered. Returns the silence that it ends, if there was one.

    Frames come in order; one of a session means that the sessions before it are over.
    """
    session, seq, at = frame
    span = None
    started_at = _silent_since(delivery, session)
    if started_at is not None:
        numbers = max(1, seq - delivery.seq) if session == delivery.session else 1
        if (at - started_at).total_seconds() > silence_s * numbers:
            reason, watched = _why(delivery)
            span = Span(camera_id, started_at, at, reason, watched)
    delivery.session, delivery.seq, delivery.frame_at, delivery.shed_at = session, seq, at, None
    delivery.state, delivery.detail = None, ""
    return span


def saw_growth(delivery: LastDelivery, at: datetime) -> None:
    """A frame had been captured by `at`, by a host's clock: while frames come, heartbeats are rare."""
    delivery.grew_at = at if delivery.grew_at is None else max(delivery.grew_at, at)


def saw_shed(delivery: LastDelivery, at: datetime) -> None:
    """Ingest gave frames up: the camera delivered them."""
    delivery.shed_at = at


def saw_status(delivery: LastDelivery, status: CameraStatus, *, grew: bool) -> None:
    """`grew`: the number captured has risen since the status before."""
    if delivery.since is None:
        delivery.since = status.at
    if grew:
        delivery.grew_at = status.at
    if status.state == "stopped" or (status.state == "offline" and delivery.state != "stopped"):
        delivery.state, delivery.detail = status.state, status.detail.replace("\0", "")[:MAX_DETAIL]


def ended_without_word(delivery: LastDelivery, how: Ended | None) -> None:
    """The session before the next frame's was cut off: its ingester died."""
    if how != "final" and delivery.state is None:
        delivery.detail = "ingester_died"


def lost_log(delivery: LastDelivery, how: str) -> None:
    """Whatever follows, the log that held what was delivered meanwhile is gone."""
    if delivery.state is None:
        delivery.detail = how


def open_span(delivery: LastDelivery, camera_id: str, now: datetime, silence_s: float) -> Span | None:
    """The silence that lasts at `now`, by the host's clock."""
    started_at = delivery.grew_at or delivery.frame_at or delivery.since
    if started_at is None or (now - started_at).total_seconds() <= silence_s:
        return None
    reason, watched = _why(delivery)
    return Span(camera_id, started_at, None, reason, watched)


def _silent_since(delivery: LastDelivery, session: str) -> datetime | None:
    if delivery.frame_at is None:
        return delivery.since if delivery.state == "offline" else None
    if session != delivery.session and delivery.shed_at is not None:
        return max(delivery.frame_at, delivery.shed_at)
    return delivery.frame_at


def _why(delivery: LastDelivery) -> tuple[str, bool]:
    """(reason, watched)"""
    if delivery.state == "stopped":
        return STOPPED, False
    if delivery.state == "offline":
        return f"offline: {delivery.detail}" if delivery.detail else "offline", True
    return delivery.detail or "unknown", True
