"""The consequences of one record for its camera's account. Pure: the account is a function of its log alone.

    step(camera, record, rules) -> consequences

The account changes in place. The caller stores it together with the offset after the record, or throws it away.
"""

from dataclasses import dataclass, replace

from andon.alarms import AlarmRequest
from andon.messages import CameraStatus, ExpiredRange, Inspection, Outcome, ShedRange
from sinks.judgement import alarm_step, sessions, spans, standing, tracker
from sinks.judgement.consequences import NOTHING, Consequences, Judgement
from sinks.judgement.defects import close_all, judge
from sinks.judgement.part_scene import Moment, PartScene
from sinks.judgement.parts import Parts
from sinks.judgement.rules import FrameView, JudgementRules
from sinks.judgement.state import CameraAccount

AccountMessage = Inspection | ShedRange | CameraStatus | ExpiredRange | AlarmRequest
"""The messages from which a camera's account is made."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Tracks, defects and parts of one camera. They are part of its account, and change in place."""

    camera: CameraAccount
    rules: JudgementRules

    def advance(self, frame: FrameView) -> Judgement:
        """Take the scene on by a frame that was inspected."""
        if not frame.shows_anything:
            return NOTHING
        if self.rules.parts is not None:
            own = self.rules.parts.of(self.camera.camera_id)
            return self._part_scene().advance(frame, own)
        state, rules = self.camera.state, self.rules.defects
        return judge(state.defects, tracker.advance(state.tracks, frame, rules.settings), frame.inspection, rules)

    def end(self, session: str) -> Judgement:
        """This session is over: settle the parts in view, close the open defects, and forget the tracks."""
        state, judgement = self.camera.state, NOTHING
        if state.parts is not None and state.parts.captured_at is not None:
            moment = Moment(self.camera.camera_id, session, state.parts.captured_at)
            judgement = self._part_scene().end(moment)
        tracker.forget(state.tracks)
        return judgement + close_all(state.defects, self.rules.defects)

    def _part_scene(self) -> PartScene:
        state = self.camera.state
        if state.parts is None:
            state.parts = Parts()
        return PartScene(state.parts, state.defects, state.tracks, self.rules.defects)


def step(camera: CameraAccount, message: AccountMessage, rules: JudgementRules) -> Consequences:
    """Take the account on by one record of its camera, in the order of the log."""
    if isinstance(message, ExpiredRange):
        (sessions.expire if message.reason == "expired" else sessions.cut_log)(camera)
        return Consequences()
    consequences = Consequences() if isinstance(message, AlarmRequest) else _account(camera, message, rules)
    alarms = alarm_step.advance(camera, message, consequences, rules)
    return replace(consequences, alarms=alarms) if alarms else consequences


def _account(
    camera: CameraAccount, message: Inspection | ShedRange | CameraStatus, rules: JudgementRules
) -> Consequences:
    over = sessions.enter(camera, message)
    scene = Scene(camera, rules)
    closed = NOTHING if over is None else scene.end(over)
    match message:
        case Inspection():
            return _inspection(camera, message, scene, closed)
        case ShedRange():
            return _shed(camera, message, closed)
        case CameraStatus():
            return _status(camera, message, closed, ends_current=over is not None)


def _inspection(camera: CameraAccount, inspection: Inspection, scene: Scene, closed: Judgement) -> Consequences:
    state = camera.state
    session, seq = inspection.session, inspection.seq
    if not _add(camera, session, (seq, seq), inspection.outcome, inspection.reason):
        return Consequences(fresh=False, judgement=closed)
    if inspection.later:
        with camera.ledger(session) as ledger:
            ledger.expect(inspection.later)
    frame = scene.rules.view(inspection)
    state.totals.count(frame.verdict)
    if session != state.session:  # a late frame of a session that is over: it counts, and changes nothing else
        twice = sessions.captured_twice(camera, inspection)
        if twice:
            camera.sessions[session].count_twice(1)
        return Consequences(judgement=closed, captured_twice=twice)
    state.display.last_verdict = frame.verdict
    standing.saw_inspection(state.standing, inspection)
    if spans.out_of_order(state.delivery, inspection):
        return Consequences(judgement=closed)
    state.display.last_frame, state.display.last_frame_at = inspection.frame_id, inspection.captured_at
    silences = spans.saw_frame(state.delivery, inspection, scene.rules.silence(camera.camera_id))
    if inspection.outcome == "inspected" and camera.sessions[session].ended is None:
        closed += scene.advance(frame)
    return Consequences(judgement=closed, spans=silences)


def _shed(camera: CameraAccount, shed: ShedRange, closed: Judgement) -> Consequences:
    state = camera.state
    fresh = _add(camera, shed.session, (shed.first_seq, shed.last_seq), "shed", shed.reason)
    if not fresh:
        return Consequences(fresh=False, judgement=closed)
    state.totals.count("unknown", fresh)
    if shed.session == state.session:
        state.display.last_verdict = "unknown"
        standing.saw_shed(state.standing, shed)
        spans.saw_shed(state.delivery, shed.at)
    return Consequences(judgement=closed)


def _status(camera: CameraAccount, status: CameraStatus, closed: Judgement, *, ends_current: bool) -> Consequences:
    state, display = camera.state, camera.state.display
    if sessions.outlived(camera, status):
        return Consequences(fresh=False, judgement=closed)
    same_session = status.session == display.session
    grew = status.captured > (display.captured if same_session else 0)
    fresh = (
        display.status_at is None
        or status.at > display.status_at
        or (grew and same_session)
        or sessions.started_after(camera, status.session, display.session)
    )  # else it was delivered again, or a newer one overtook it
    if fresh:
        display.show(status)
        state.standing.reported = status.stalled
    if fresh or ends_current:  # an end explains the silence that follows, even if its state is known already
        spans.saw_status(state.delivery, status, grew=grew and fresh)
    return Consequences(fresh, closed)


def _add(camera: CameraAccount, session: str, numbers: tuple[int, int], outcome: Outcome, reason: str | None) -> int:
    """Account for a range of numbers, both ends included. Returns how many of them are new."""
    with camera.ledger(session) as ledger:
        return ledger.add(*numbers, outcome, reason)
