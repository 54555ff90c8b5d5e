"""Which session of a camera is current, and when a session is over: its ledger then owes nothing more.

A camera's records come in the order of its log, but a status overtakes the frames that wait for the broker. So a
status may announce a session whose frames come later, or never.
"""

from andon.messages import CameraStatus, Inspection, ShedRange, session_began, tenure_of
from sinks.judgement import spans
from sinks.judgement.ledger import SessionEnd, SessionLedger
from sinks.judgement.state import CameraAccount

SessionMessage = Inspection | ShedRange | CameraStatus


def enter(camera: CameraAccount, message: SessionMessage) -> str | None:
    """Bring the sessions up to date by a record, before anything else in it counts. Returns the current session if
    this record ends it."""
    if camera.state.expired:
        _expire_before(camera, message)
    if camera.state.log_lost:
        _lose_before(camera, message)
    over = _supersede(camera, message)
    if isinstance(message, CameraStatus) and message.session is not None:
        with camera.ledger(message.session) as ledger:
            ledger.saw_captured(message.captured)
        if message.final:
            over = _finish(camera, message.session)
    return over


def lose_log(camera: CameraAccount) -> None:
    """The log is gone, and with it the frames of open sessions that were not yet accounted for."""
    for session in camera.open_sessions:
        with camera.ledger(session) as ledger:
            ledger.lose_log(ledger.captured)
    cut_log(camera)


def cut_log(camera: CameraAccount) -> None:
    """A log has lost its end, and with it records of the camera that nobody has read. The next new record shows which
    numbers they held."""
    camera.state.log_lost = True
    spans.lost_log(camera.state.delivery, "log_lost")


def expire(camera: CameraAccount) -> None:
    """Records of the camera expired before they were read. The next record shows which numbers they held."""
    camera.state.expired = True
    spans.lost_log(camera.state.delivery, "expired")


def started_after(camera: CameraAccount, session: str | None, other: str | None) -> bool:
    """Whether an open session was first heard of after the other one: a host's clock may have been set back."""
    names = camera.open_sessions
    if session is None or session not in names or camera.sessions[session].ended is not None:
        return False
    return other not in names or names.index(session) > names.index(other)


def captured_twice(camera: CameraAccount, frame: Inspection) -> bool:
    """Whether an ingester captured this frame that had lost the camera: a newer owner's session had begun.

    Frames that an ingester had captured before that, and sends late, are not meant.
    """
    began_at = session_began(camera.state.session or "")
    late = began_at is not None and frame.captured_at > began_at
    return late and _newer_goes_on(camera, tenure_of(frame.session))


def outlived(camera: CameraAccount, status: CameraStatus) -> bool:
    """Whether the status comes from an ingester that has lost the camera: it does not say how the camera is."""
    return _newer_goes_on(camera, status.tenure)


def _newer_goes_on(camera: CameraAccount, tenure: int) -> bool:
    """Whether the current session is captured by a newer owner. Without tenures nobody can say which one is newer."""
    current = camera.state.session
    return current is not None and 0 < tenure < tenure_of(current) and camera.sessions[current].ended is None


def _expire_before(camera: CameraAccount, message: SessionMessage) -> None:
    """The log no longer holds any number below this record's first one, and nothing of the sessions before it."""
    if isinstance(message, CameraStatus) and not message.final:
        return  # it may have overtaken frames, so it does not say where they begin
    for session in camera.open_sessions:
        if session != message.session:
            with camera.ledger(session) as ledger:
                ledger.expire(ledger.captured)
    if message.session is not None:
        camera.sessions.setdefault(message.session, SessionLedger())
        with camera.ledger(message.session) as ledger:
            ledger.expire(_first_number(message))
    camera.state.expired = False


def _lose_before(camera: CameraAccount, message: SessionMessage) -> None:
    """What the log has lost had numbers below this record's first one, unless the record was delivered again."""
    session, number = message.session, _first_number(message)
    if session is None or (isinstance(message, CameraStatus) and not message.final):
        return  # it may have overtaken frames
    known = camera.sessions.setdefault(session, SessionLedger())
    if known.ended is not None or number < known.accounted_through:
        return
    for other in camera.open_sessions:
        if other != session:
            with camera.ledger(other) as ledger:
                ledger.lose_log(ledger.captured)
    with camera.ledger(session) as ledger:
        ledger.lose_log(number)
    camera.state.log_lost = False


def _first_number(message: SessionMessage) -> int:
    match message:
        case Inspection():
            return message.seq
        case ShedRange():
            return message.first_seq
        case CameraStatus():
            return message.captured


def _supersede(camera: CameraAccount, message: SessionMessage) -> str | None:
    """The first frame of a session ends the current one: its ingester died, or captured anew. Returns the latter."""
    state, session = camera.state, message.session
    if session is None or session == state.session:
        _end_announced(camera, message)
        return None
    if camera.sessions.setdefault(session, SessionLedger()).ended is not None:
        return None
    if _newer_goes_on(camera, tenure_of(session)):
        _end(camera, session, "superseded")  # by an ingester that has lost the camera, and does not know it yet
        return None
    if isinstance(message, CameraStatus):
        if session not in state.announced:
            state.announced.append(session)
        return None
    over = _end_current(camera, "superseded")
    if session in state.announced:
        number = state.announced.index(session)
        for earlier in state.announced[:number]:
            _end(camera, earlier, "superseded")
        del state.announced[: number + 1]
    state.session = session
    return over


def _end_announced(camera: CameraAccount, message: SessionMessage) -> None:
    """A newer status of the current session ends all sessions announced earlier that never published a frame.

    The current session's first frame can't end them: it may come before any status names its session, and doesn't say
    which of them is older.
    """
    state = camera.state
    if not state.announced or not isinstance(message, CameraStatus) or message.final:
        return
    if state.display.status_at is not None and message.at > state.display.status_at:
        for earlier in state.announced:
            _end(camera, earlier, "superseded")
        state.announced.clear()


def _finish(camera: CameraAccount, session: str) -> str | None:
    """A final status: every frame of the session stands in the log before it. Returns the session if it was current."""
    if session == camera.state.session:
        over = _end_current(camera, "final")
        if over is not None:
            return over
    _end(camera, session, "final")  # taken for dead, its ingester has finished its account after all
    if session in camera.state.announced:
        camera.state.announced.remove(session)
    return None


def _end_current(camera: CameraAccount, how: SessionEnd) -> str | None:
    """End the current session, if there is one and it has not ended yet. Returns it."""
    session = camera.state.session
    if session is None or camera.sessions[session].ended is not None:
        return None
    _end(camera, session, how)
    if how != "final":
        spans.ingester_died(camera.state.delivery)
    return session


def _end(camera: CameraAccount, session: str, how: SessionEnd) -> None:
    if session in camera.sessions:
        with camera.ledger(session) as ledger:
            ledger.end(how)
