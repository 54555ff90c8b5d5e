"""What one record changes. Pure: a camera's state is a function of its log alone.

    step(state, record) -> what follows

`state` is changed in place: whoever calls either stores it with the offset after the record, or throws it away.
"""

from dataclasses import dataclass, field

from andon.messages import CameraStatus, Expired, Inspection, Outcome, Shed
from sinks.channels.channel import Verdict
from sinks.judgement import spans
from sinks.judgement.defects import Judgement, Rules
from sinks.judgement.ledger import Ended, SessionLedger, Sums
from sinks.judgement.parts import PartRules
from sinks.judgement.sighting import ended, sighted
from sinks.judgement.spans import Span
from sinks.judgement.state import CameraState, Memory

Known = Inspection | Shed | CameraStatus | Expired
"""The messages that a camera's account is made of."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that decide what follows from a record."""

    rules: Rules
    silence_s: float
    parts: PartRules | None = None
    """None: parts are not followed."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What follows from one record."""

    fresh: bool = True
    """False: it had been accounted for before, and has changed nothing but the count of redeliveries."""
    judgement: Judgement = field(default_factory=Judgement)
    spans: tuple[Span, ...] = ()


def step(state: CameraState, message: Known, policy: Policy) -> Outcomes:
    """Take `state` on by one record of its camera, in the order of the log."""
    if isinstance(message, Expired):
        expire(state)
        return Outcomes()
    if state.memory.expired:
        _expire_before(state, message)
    closed = _enter(state, message, policy)
    match message:
        case Inspection():
            outcomes = _inspected(state, message, policy)
        case Shed():
            outcomes = _shed(state, message)
        case CameraStatus():
            outcomes = _status(state, message, policy)
    return Outcomes(outcomes.fresh, closed + outcomes.judgement, outcomes.spans)


def lose_log(state: CameraState) -> None:
    """The log is gone: what the open sessions had not yet accounted for went with it."""
    for session in state.open_sessions:
        before = state.sessions[session].sums()
        state.sessions[session].lose_log()
        _carry(state, session, before)
    spans.lost_log(state.memory.watch, "log_lost")


def expire(state: CameraState) -> None:
    """Records of the camera expired before they were read: which numbers they held, the next record will show."""
    state.memory.expired = True
    spans.lost_log(state.memory.watch, "expired")


def _expire_before(state: CameraState, message: Inspection | Shed | CameraStatus) -> None:
    """What the log has no more: all up to this record's first number and, of sessions before it, all that is known."""
    if isinstance(message, CameraStatus) and not message.final:
        return  # a status overtakes frames: it says nothing of where they begin
    for session in state.open_sessions:
        if session != message.session:
            _gone(state, session, state.sessions[session].captured)
    below = _first_number(message)
    if message.session is not None:
        state.sessions.setdefault(message.session, SessionLedger())
        _gone(state, message.session, below)
    state.memory.expired = False


def _first_number(message: Inspection | Shed | CameraStatus) -> int:
    match message:
        case Inspection():
            return message.seq
        case Shed():
            return message.first_seq
        case CameraStatus():
            return message.captured


def _gone(state: CameraState, session: str, below: int) -> None:
    before = state.sessions[session].sums()
    state.sessions[session].expire(below)
    _carry(state, session, before)


def _enter(state: CameraState, message: Inspection | Shed | CameraStatus, policy: Policy) -> Judgement:
    """The first frame of a session ends the one before: its ingester is gone, or has begun anew."""
    memory, session = state.memory, message.session
    if session is None or session == memory.session:
        _outlive(state, message)
        return Judgement()
    ledger = state.sessions.setdefault(session, SessionLedger())
    if ledger.ended is not None:
        return Judgement()
    if isinstance(message, CameraStatus):
        if session not in memory.announced:
            memory.announced.append(session)
        return Judgement()
    closed = _end(state, "superseded", policy)
    if session in memory.announced:
        for earlier in memory.announced[: memory.announced.index(session)]:
            _end_ledger(state, earlier, "superseded")
        del memory.announced[: memory.announced.index(session) + 1]
    memory.session = session
    return closed


def _outlive(state: CameraState, message: Known) -> None:
    """News of the session under way: those that were announced before it and never got a frame out are over.

    Its first frame may come before any status names it, and can't say whether it is older than an announced one.
    """
    memory = state.memory
    if not memory.announced or not isinstance(message, CameraStatus) or message.final:
        return
    if memory.face.status_at is not None and message.at > memory.face.status_at:
        for earlier in memory.announced:
            _end_ledger(state, earlier, "superseded")
        memory.announced.clear()


def _end(state: CameraState, how: Ended, policy: Policy) -> Judgement:
    """The session under way is over, if there is one and it is not over yet."""
    memory = state.memory
    if memory.session is None or state.sessions[memory.session].ended is not None:
        return Judgement()
    _end_ledger(state, memory.session, how)
    spans.ended_without_word(memory.watch, how)
    return ended(memory, state.camera_id, policy.rules)


def _end_ledger(state: CameraState, session: str, how: Ended) -> None:
    ledger = state.sessions.get(session)
    if ledger is not None:
        before = ledger.sums()
        ledger.end(how)
        _carry(state, session, before)


def _inspected(state: CameraState, seen: Inspection, policy: Policy) -> Outcomes:
    memory = state.memory
    if not _add(state, seen.session, (seen.seq, seen.seq), seen.outcome, seen.reason):
        return Outcomes(fresh=False)
    detections = policy.rules.counted(seen)
    blind = seen.outcome != "inspected" or seen.health is not None
    _verdict(memory, seen, "unknown" if blind else "fail" if detections else "pass")
    in_order = seen.session == memory.session and (memory.watch.session != seen.session or seen.seq > memory.watch.seq)
    if not in_order:  # a late frame of a session that is over: it counts, and no more
        return Outcomes()
    memory.face.last_frame, memory.face.last_frame_at = seen.frame_id, seen.captured_at
    span = spans.saw_frame(memory.watch, state.camera_id, (seen.session, seen.seq, seen.captured_at), policy.silence_s)
    spans.saw_growth(memory.watch, min(seen.captured_at, seen.inspected_at))  # no camera's clock runs ahead of it
    over = state.sessions[seen.session].ended is not None
    told = Judgement() if seen.outcome != "inspected" or over else sighted(memory, seen, policy.rules, policy.parts)
    return Outcomes(True, told, (span,) if span else ())


def _verdict(memory: Memory, seen: Inspection, verdict: Verdict) -> None:
    totals = memory.totals
    if verdict == "pass":
        totals.passed += 1
    elif verdict == "fail":
        totals.failed += 1
    else:
        totals.unknown += 1
    if seen.session == memory.session:
        memory.face.last_verdict = verdict


def _shed(state: CameraState, shed: Shed) -> Outcomes:
    memory = state.memory
    fresh = _add(state, shed.session, (shed.first_seq, shed.last_seq), "shed", shed.reason)
    if not fresh:
        return Outcomes(fresh=False)
    memory.totals.unknown += fresh
    if shed.session == memory.session:
        memory.face.last_verdict = "unknown"
        spans.saw_shed(memory.watch, shed.at)
    return Outcomes()


def _status(state: CameraState, status: CameraStatus, policy: Policy) -> Outcomes:
    memory, face = state.memory, state.memory.face
    closed = Judgement()
    if status.session is not None:
        before = state.sessions[status.session].sums()
        state.sessions[status.session].saw_captured(status.captured)
        _carry(state, status.session, before)
        closed = _final(state, status, policy) if status.final else closed
    grew = status.captured > (face.captured if status.session == face.session else 0)
    newer = face.status_at is None or status.at > face.status_at or _begun_after(state, status.session, face.session)
    if not newer and not (grew and status.session == face.session):
        return Outcomes(fresh=False, judgement=closed)  # delivered again, or overtaken
    if face.state != status.state:
        face.state, face.state_since = status.state, status.at
    face.detail, face.fps, face.status_at = status.detail, status.fps, status.at
    if status.session is not None:
        face.session, face.session_at, face.captured = status.session, status.at, status.captured
    spans.saw_status(memory.watch, status, grew=grew)
    return Outcomes(judgement=closed)


def _begun_after(state: CameraState, session: str | None, other: str | None) -> bool:
    """Whether a session that is not over was heard of after the other: a host's clock may have been set back."""
    heard = state.open_sessions
    if session is None or session not in heard or state.sessions[session].ended is not None:
        return False
    return other not in heard or heard.index(session) > heard.index(other)


def _final(state: CameraState, status: CameraStatus, policy: Policy) -> Judgement:
    """The session's last word: it stands behind its frames, though the state that it tells may be known by now."""
    memory, session = state.memory, status.session
    assert session is not None
    if session == memory.session and state.sessions[session].ended is None:
        closed = _end(state, "final", policy)
        spans.saw_status(memory.watch, status, grew=False)
        return closed
    _end_ledger(state, session, "final")  # taken for dead, it has finished its account after all
    if session in memory.announced:
        memory.announced.remove(session)
    return Judgement()


def _add(state: CameraState, session: str, numbers: tuple[int, int], outcome: Outcome, reason: str | None) -> int:
    ledger = state.sessions[session]
    before = ledger.sums()
    fresh = ledger.add(*numbers, outcome, reason)
    _carry(state, session, before)
    return fresh


def _carry(state: CameraState, session: str, before: Sums) -> None:
    """Bring the totals forward by what has changed in one session's ledger."""
    state.changed.add(session)
    after, totals = state.sessions[session].sums(), state.memory.totals
    totals.captured += after.captured - before.captured
    totals.lost += after.lost - before.lost
    totals.inspected += after.inspected - before.inspected
    totals.shed += after.shed - before.shed
    totals.quarantined += after.quarantined - before.quarantined
