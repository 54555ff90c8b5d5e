"""Publishes a camera's state: each change at once, and heartbeats in between."""

from collections import deque
from dataclasses import dataclass

from andon.clock import Clock
from andon.events import CameraChanged, Emit
from andon.messages import CameraState, CameraStatus
from andon.pictures.health.states import UNHEALTHY
from ingest.bridge import Bridge

HEARTBEAT_S = 1.0
RARE = 5
"""While frames say the same, one heartbeat in five is still sent: no frame carries the frame rate."""
MAX_REASON = 300
"""Characters of the reason for a stall: heartbeats are small."""
FPS_WINDOW = 5
"""Heartbeats over which the frame rate is measured."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """Who captures a camera."""

    ingester: str = ""
    """The ingester's name."""
    tenure: int = 0
    """It grows with each owner; 0: nobody shares the cameras out."""


NOBODY = Ownership()


class StatusReporter:
    """One camera's. Event loop only."""

    def __init__(
        self,
        camera_id: str,
        bridge: Bridge,
        clock: Clock,
        emit: Emit,
        heartbeat_s: float,
        ownership: Ownership = NOBODY,
    ) -> None:
        self.state: CameraState = "connecting"
        self.fps = 0.0
        self._camera_id = camera_id
        self._ownership = ownership
        self._bridge = bridge
        self._clock = clock
        self._emit = emit
        self._heartbeat_s = heartbeat_s
        self._detail = ""
        self._stalled = ""
        self._reported = False
        self._beats_left_out = 0
        self._counts: deque[tuple[float, int]] = deque(maxlen=FPS_WINDOW + 1)

    @property
    def delivers(self) -> bool:
        """Frames come, healthy or not."""
        return self.state == "online" or self.state in UNHEALTHY

    def turn(self, state: CameraState, detail: str) -> None:
        """Report the state if it has changed."""
        if (state, detail) == (self.state, self._detail) and self._reported:
            return
        self.state, self._detail, self._reported = state, detail, True
        self._emit(CameraChanged(self._camera_id, state, self._bridge.session or "", detail))
        self._send()

    @property
    def summary(self) -> str:
        """The state, and why the camera is in it."""
        return f"{self.state}: {self._detail}" if self._detail else self.state

    def stall(self, reason: str) -> None:
        """Say why the camera's frames stand still; empty: they move. It is sent at once when that changes."""
        changed = bool(reason) != bool(self._stalled)
        self._stalled = reason[:MAX_REASON]
        if changed:
            self._send()

    def end(self, state: CameraState, detail: str, ended: tuple[str, int] | None) -> None:
        """A session has ended: its final status stays behind its frames; the camera's state is reported at once."""
        if ended is not None and ended[1] > 0:
            session, captured = ended
            values = {"state": state, "detail": detail, "session": session, "captured": captured, "final": True}
            self._bridge.end(self.status().model_copy(update=values))
        self.turn(state, detail)

    def beat(self) -> None:
        """Once for each heartbeat: it is sent unless the frames say the same."""
        self._measure()
        self._beats_left_out += 1
        if self._beats_left_out >= RARE or not self._frames_say_it():
            self._send()

    def _frames_say_it(self) -> bool:
        since_s = self._clock.monotonic() - self._heartbeat_s
        return self.delivers and not self._stalled and self._bridge.newest_sent_since(since_s)

    def _send(self) -> None:
        self._beats_left_out = 0
        self._bridge.announce(self.status())

    def _measure(self) -> None:
        self._counts.append((self._clock.monotonic(), self._bridge.total))
        (then_s, before), (now_s, after) = self._counts[0], self._counts[-1]
        self.fps = (after - before) / (now_s - then_s) if now_s > then_s else 0.0

    def status(self) -> CameraStatus:
        """The camera's status now."""
        session, captured = self._bridge.progress
        return CameraStatus(
            camera_id=self._camera_id,
            session=session,
            state=self.state,
            captured=captured,
            at=self._clock.now(),
            fps=self.fps if self.delivers else 0.0,
            detail=self._detail,
            stalled=self._stalled,
            ingester=self._ownership.ingester,
            tenure=self._ownership.tenure,
        )
