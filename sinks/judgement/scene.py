"""One camera's picture: what a frame shows in it, and what follows. With parts, `PartScene` has the order."""

from dataclasses import dataclass

from sinks.judgement import tracker
from sinks.judgement.consequences import NOTHING, Judgement
from sinks.judgement.defects import close_all, judge
from sinks.judgement.frame import FrameView
from sinks.judgement.part_scene import Moment, PartScene
from sinks.judgement.parts import Parts
from sinks.judgement.rules import Policy
from sinks.judgement.state import CameraAccount


@dataclass(frozen=True, slots=True)
class Scene:
    """Tracks, defects and parts of one camera. They are part of its account, and change in place."""

    camera: CameraAccount
    policy: Policy

    def advance(self, frame: FrameView) -> Judgement:
        """Take the scene on by a frame that was inspected."""
        if not frame.shows_anything:
            return NOTHING
        if self.policy.parts is not None:
            own = self.policy.parts.of(self.camera.camera_id)
            return self._part_scene().advance(frame, own)
        state, rules = self.camera.state, self.policy.defects
        return judge(state.defects, tracker.advance(state.tracks, frame, rules.settings), frame.inspection, rules)

    def end(self, session: str) -> Judgement:
        """This session is over: settle the parts in view, close the open defects, and forget the tracks."""
        state, judgement = self.camera.state, NOTHING
        if state.parts is not None and state.parts.captured_at is not None:
            moment = Moment(self.camera.camera_id, session, state.parts.captured_at)
            judgement = self._part_scene().end(moment)
        tracker.forget(state.tracks)
        return judgement + close_all(state.defects, self.policy.defects)

    def _part_scene(self) -> PartScene:
        state = self.camera.state
        if state.parts is None:
            state.parts = Parts()
        return PartScene(state.parts, state.defects, state.tracks, self.policy.defects)
