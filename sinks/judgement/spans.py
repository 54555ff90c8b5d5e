"""Spans of time in which a camera that should have delivered frames delivered none.

A span shows between two frames: if more time passed for each number between them than the camera's rhythm allows, the
camera itself was silent, even if the frames in between were shed or lost. Both ends are the frames' own capture times:
one clock judges a camera whose clock is wrong. Only a span that is still open is measured by the host's clock (the
heartbeats).
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from pydantic import Field

from andon.messages import CameraState, CameraStatus, Inspection
from sinks.judgement.rhythm import SILENT_INTERVALS, Rhythm, SilenceRule

STOPPED = "stopped"
MAX_DETAIL = 300
"""Characters of a reason."""


@dataclass(frozen=True, slots=True)
class Span:
    """A camera's silence. `ended_at` is None while it lasts."""

    camera_id: str
    started_at: datetime
    ended_at: datetime | None
    reason: str
    watched: bool
    """False: the camera was stopped on purpose, so its silence is no fault."""


@dataclass(slots=True)
class LastDelivery:
    """A camera's last frame, and the news of its statuses since then."""

    session: str | None = None
    """Of the last frame; so are the number and the capture time below."""
    seq: int = -1
    frame_at: datetime | None = None
    shed_at: datetime | None = None
    """When ingest last gave up frames of that session: the camera delivered these, too."""
    grew_at: datetime | None = None
    """When the number of captured frames last grew, by the host's clock: a frame or a heartbeat showed it."""
    since: datetime | None = None
    """First status ever: a camera that has never delivered a frame is silent since then."""
    state: CameraState | None = None
    """The state since the last frame that explains a silence best: `stopped`, else `offline`, else None."""
    detail: str = ""
    rhythm: Annotated[Rhythm, Field(exclude_if=lambda rhythm: rhythm == Rhythm())] = field(default_factory=Rhythm)
    held: Annotated[Span | None, Field(exclude_if=lambda span: span is None)] = None
    """A silence that may be the rhythm of a camera that is hardly known. The next frame decides."""


def out_of_order(last: LastDelivery, frame: Inspection) -> bool:
    """Whether the frame comes late: frames are judged in the order in which they are shown.

    A stream with B-frames numbers its frames in the order of the stream, so a lower number may be of a later moment.
    """
    if frame.session != last.session or frame.seq > last.seq:
        return False
    return last.frame_at is None or frame.captured_at <= last.frame_at


def saw_frame(last: LastDelivery, frame: Inspection, rule: SilenceRule) -> tuple[Span, ...]:
    """The camera delivered a frame. Returns the silences that are certain now.

    Frames come in order: a frame of one session means that the sessions before it are over.
    """
    certain: tuple[Span, ...] = ()
    started_at = _silent_since(last, frame.session)
    if started_at is not None:
        same = frame.session == last.session
        numbers = max(1, frame.seq - last.seq) if same and not frame.later else 1
        interval_s = (frame.captured_at - started_at).total_seconds() / numbers
        span = None
        if interval_s > rule.limit_s(last.rhythm.usual_s):
            span = Span(frame.camera_id, started_at, frame.captured_at, *_reason(last))
        held, last.held = last.held, None
        if same:
            certain = _confirmed(held, interval_s)
            if span is not None and last.rhythm.young and rule.own_s is None:
                span, last.held = None, span
            last.rhythm.saw(interval_s)
        certain += () if span is None else (span,)
    last.session, last.seq, last.frame_at, last.shed_at = frame.session, frame.seq, frame.captured_at, None
    last.state, last.detail = None, ""
    at = min(frame.captured_at, frame.inspected_at)  # a camera's clock may run ahead of the host's
    last.grew_at = at if last.grew_at is None else max(last.grew_at, at)
    return certain


def _confirmed(held: Span | None, interval_s: float) -> tuple[Span, ...]:
    """`held`, if the interval after it shows that it was no interval of the camera's rhythm."""
    if held is None or held.ended_at is None:
        return ()
    silent_s = (held.ended_at - held.started_at).total_seconds()
    return (held,) if SILENT_INTERVALS * interval_s < silent_s else ()


def saw_shed(last: LastDelivery, at: datetime) -> None:
    """Ingest gave frames up: the camera delivered them."""
    last.shed_at = at


def saw_status(last: LastDelivery, status: CameraStatus, *, grew: bool) -> None:
    """`grew`: the number of captured frames is higher than in the status before."""
    if last.since is None:
        last.since = status.at
    if grew:
        last.grew_at = status.at
    if status.state == "stopped" or (status.state == "offline" and last.state != "stopped"):
        detail = status.detail.replace("\0", "")  # PostgreSQL stores no zero bytes
        last.state, last.detail = status.state, detail[:MAX_DETAIL]


def ingester_died(last: LastDelivery) -> None:
    """The session ended without a final status."""
    if last.state is None:
        last.detail = "ingester_died"


def lost_log(last: LastDelivery, reason: str) -> None:
    """The log lost records: frames that were delivered meanwhile went with it."""
    if last.state is None:
        last.detail = reason


def open_span(last: LastDelivery, camera_id: str, now: datetime, rule: SilenceRule) -> Span | None:
    """The silence that lasts at `now`, by the host's clock."""
    started_at = last.grew_at or last.frame_at or last.since
    if started_at is None or (now - started_at).total_seconds() <= rule.limit_s(
        None if last.held else last.rhythm.usual_s
    ):
        return None
    reason, watched = _reason(last)
    return Span(camera_id, started_at, None, reason, watched)


def _silent_since(last: LastDelivery, session: str) -> datetime | None:
    if last.frame_at is None:
        return last.since if last.state == "offline" else None
    if session != last.session and last.shed_at is not None:
        return max(last.frame_at, last.shed_at)
    return last.frame_at


def _reason(last: LastDelivery) -> tuple[str, bool]:
    """(reason, watched)"""
    if last.state == "stopped":
        return STOPPED, False
    if last.state == "offline":
        return f"offline: {last.detail}" if last.detail else "offline", True
    return last.detail or "unknown", True
