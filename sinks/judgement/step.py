"""What one record changes. Pure: a camera's state is a function of its log alone.

    step(camera, record) -> what follows

`state` is changed in place: whoever calls either stores it with the offset after the record, or throws it away.
"""

from dataclasses import dataclass, field

from andon.messages import CameraStatus, Expired, Inspection, Outcome, Shed
from sinks.judgement import spans
from sinks.judgement.defects import DefectRules, Judgement
from sinks.judgement.ledger import Ended, SessionLedger
from sinks.judgement.parts import PartRules
from sinks.judgement.sighting import ended, sighted
from sinks.judgement.spans import Span
from sinks.judgement.state import CameraAccount, JudgementState, Verdict

AccountMessage = Inspection | Shed | CameraStatus | Expired
"""The messages that a camera's account is made of."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that decide what follows from a record."""

    rules: DefectRules
    silence_s: float
    parts: PartRules | None = None
    """None: parts are not followed."""


@dataclass(frozen=True, slots=True)
class Consequences:
    """What follows from one record."""

    fresh: bool = True
    """False: it had been accounted for before, and has changed nothing but the count of redeliveries."""
    judgement: Judgement = field(default_factory=Judgement)
    spans: tuple[Span, ...] = ()


def step(camera: CameraAccount, message: AccountMessage, policy: Policy) -> Consequences:
    """Take `state` on by one record of its camera, in the order of the log."""
    if isinstance(message, Expired):
        expire(camera)
        return Consequences()
    if camera.state.expired:
        _expire_before(camera, message)
    closed = _enter(camera, message, policy)
    match message:
        case Inspection():
            outcomes = _inspected(camera, message, policy)
        case Shed():
            outcomes = _shed(camera, message)
        case CameraStatus():
            outcomes = _status(camera, message, policy)
    return Consequences(outcomes.fresh, closed + outcomes.judgement, outcomes.spans)


def lose_log(camera: CameraAccount) -> None:
    """The log is gone: what the open sessions had not yet accounted for went with it."""
    for session in camera.open_sessions:
        with camera.ledger(session) as ledger:
            ledger.lose_log()
    spans.lost_log(camera.state.delivery, "log_lost")


def expire(camera: CameraAccount) -> None:
    """Records of the camera expired before they were read: which numbers they held, the next record will show."""
    camera.state.expired = True
    spans.lost_log(camera.state.delivery, "expired")


def _expire_before(camera: CameraAccount, message: Inspection | Shed | CameraStatus) -> None:
    """What the log has no more: all up to this record's first number and, of sessions before it, all that is known."""
    if isinstance(message, CameraStatus) and not message.final:
        return  # a status overtakes frames: it says nothing of where they begin
    for session in camera.open_sessions:
        if session != message.session:
            _gone(camera, session, camera.sessions[session].captured)
    below = _first_number(message)
    if message.session is not None:
        camera.sessions.setdefault(message.session, SessionLedger())
        _gone(camera, message.session, below)
    camera.state.expired = False


def _first_number(message: Inspection | Shed | CameraStatus) -> int:
    match message:
        case Inspection():
            return message.seq
        case Shed():
            return message.first_seq
        case CameraStatus():
            return message.captured


def _gone(camera: CameraAccount, session: str, below: int) -> None:
    with camera.ledger(session) as ledger:
        ledger.expire(below)


def _enter(camera: CameraAccount, message: Inspection | Shed | CameraStatus, policy: Policy) -> Judgement:
    """The first frame of a session ends the one before: its ingester is gone, or has begun anew."""
    state, session = camera.state, message.session
    if session is None or session == state.session:
        _outlive(camera, message)
        return Judgement()
    ledger = camera.sessions.setdefault(session, SessionLedger())
    if ledger.ended is not None:
        return Judgement()
    if isinstance(message, CameraStatus):
        if session not in state.announced:
            state.announced.append(session)
        return Judgement()
    closed = _end(camera, "superseded", policy)
    if session in state.announced:
        for earlier in state.announced[: state.announced.index(session)]:
            _end_ledger(camera, earlier, "superseded")
        del state.announced[: state.announced.index(session) + 1]
    state.session = session
    return closed


def _outlive(camera: CameraAccount, message: AccountMessage) -> None:
    """News of the session under way: those that were announced before it and never got a frame out are over.

    Its first frame may come before any status names it, and can't say whether it is older than an announced one.
    """
    state = camera.state
    if not state.announced or not isinstance(message, CameraStatus) or message.final:
        return
    if state.display.status_at is not None and message.at > state.display.status_at:
        for earlier in state.announced:
            _end_ledger(camera, earlier, "superseded")
        state.announced.clear()


def _end(camera: CameraAccount, how: Ended, policy: Policy) -> Judgement:
    """The session under way is over, if there is one and it is not over yet."""
    state = camera.state
    if state.session is None or camera.sessions[state.session].ended is not None:
        return Judgement()
    _end_ledger(camera, state.session, how)
    spans.ended_without_word(state.delivery, how)
    return ended(state, camera.camera_id, policy.rules)


def _end_ledger(camera: CameraAccount, session: str, how: Ended) -> None:
    if session in camera.sessions:
        with camera.ledger(session) as ledger:
            ledger.end(how)


def _inspected(camera: CameraAccount, seen: Inspection, policy: Policy) -> Consequences:
    state = camera.state
    if not _add(camera, seen.session, (seen.seq, seen.seq), seen.outcome, seen.reason):
        return Consequences(fresh=False)
    detections = policy.rules.counted(seen)
    blind = seen.outcome != "inspected" or seen.health is not None
    _verdict(state, seen, "unknown" if blind else "fail" if detections else "pass")
    in_order = seen.session == state.session and (
        state.delivery.session != seen.session or seen.seq > state.delivery.seq
    )
    if not in_order:  # a late frame of a session that is over: it counts, and no more
        return Consequences()
    state.display.last_frame, state.display.last_frame_at = seen.frame_id, seen.captured_at
    span = spans.saw_frame(
        state.delivery, camera.camera_id, (seen.session, seen.seq, seen.captured_at), policy.silence_s
    )
    spans.saw_growth(state.delivery, min(seen.captured_at, seen.inspected_at))  # no camera's clock runs ahead of it
    over = camera.sessions[seen.session].ended is not None
    told = Judgement() if seen.outcome != "inspected" or over else sighted(state, seen, policy.rules, policy.parts)
    return Consequences(True, told, (span,) if span else ())


def _verdict(state: JudgementState, seen: Inspection, verdict: Verdict) -> None:
    totals = state.totals
    if verdict == "pass":
        totals.passed += 1
    elif verdict == "fail":
        totals.failed += 1
    else:
        totals.unknown += 1
    if seen.session == state.session:
        state.display.last_verdict = verdict


def _shed(camera: CameraAccount, shed: Shed) -> Consequences:
    state = camera.state
    fresh = _add(camera, shed.session, (shed.first_seq, shed.last_seq), "shed", shed.reason)
    if not fresh:
        return Consequences(fresh=False)
    state.totals.unknown += fresh
    if shed.session == state.session:
        state.display.last_verdict = "unknown"
        spans.saw_shed(state.delivery, shed.at)
    return Consequences()


def _status(camera: CameraAccount, status: CameraStatus, policy: Policy) -> Consequences:
    state, display = camera.state, camera.state.display
    closed = Judgement()
    if status.session is not None:
        with camera.ledger(status.session) as ledger:
            ledger.saw_captured(status.captured)
        closed = _final(camera, status, policy) if status.final else closed
    grew = status.captured > (display.captured if status.session == display.session else 0)
    newer = (
        display.status_at is None
        or status.at > display.status_at
        or _begun_after(camera, status.session, display.session)
    )
    if not newer and not (grew and status.session == display.session):
        return Consequences(fresh=False, judgement=closed)  # delivered again, or overtaken
    if display.state != status.state:
        display.state, display.state_since = status.state, status.at
    display.detail, display.fps, display.status_at = status.detail, status.fps, status.at
    if status.session is not None:
        display.session, display.session_at, display.captured = status.session, status.at, status.captured
    spans.saw_status(state.delivery, status, grew=grew)
    return Consequences(judgement=closed)


def _begun_after(camera: CameraAccount, session: str | None, other: str | None) -> bool:
    """Whether a session that is not over was heard of after the other: a host's clock may have been set back."""
    heard = camera.open_sessions
    if session is None or session not in heard or camera.sessions[session].ended is not None:
        return False
    return other not in heard or heard.index(session) > heard.index(other)


def _final(camera: CameraAccount, status: CameraStatus, policy: Policy) -> Judgement:
    """The session's last word: it stands behind its frames, though the state that it tells may be known by now."""
    state, session = camera.state, status.session
    assert session is not None
    if session == state.session and camera.sessions[session].ended is None:
        closed = _end(camera, "final", policy)
        spans.saw_status(state.delivery, status, grew=False)
        return closed
    _end_ledger(camera, session, "final")  # taken for dead, it has finished its account after all
    if session in state.announced:
        state.announced.remove(session)
    return Judgement()


def _add(camera: CameraAccount, session: str, numbers: tuple[int, int], outcome: Outcome, reason: str | None) -> int:
    with camera.ledger(session) as ledger:
        return ledger.add(*numbers, outcome, reason)
