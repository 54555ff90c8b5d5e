"""Counts every inspection and every alert of a line from outside, apart from the line's own account."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil

from andon.messages import CameraStatus, Defect, Inspection, Message
from sample_streams.score import InspectedSession

FPS_SPAN = 45
"""Frames over which a camera's rate is measured: three seconds of a clip."""


@dataclass(slots=True)
class ObservedCamera:
    """One camera. `recent`: the capture times of its last frames."""

    state: str = "waiting"
    inspected: int = 0
    other: int = 0
    """Shed or quarantined."""
    behind_s: float = 0.0
    """From capture to inspection, of the last frame."""
    batch: int = 0
    verdict: str = ""
    """The defects that the model detected on the last frame."""
    recent: deque[datetime] = field(default_factory=lambda: deque(maxlen=FPS_SPAN))

    @property
    def fps(self) -> float:
        """Frames a second, by their capture times."""
        if len(self.recent) < 2:
            return 0.0
        span_s = (self.recent[-1] - self.recent[0]).total_seconds()
        return (len(self.recent) - 1) / span_s if span_s > 0 else 0.0


@dataclass(frozen=True, slots=True)
class ReceivedAlert:
    defect: Defect
    at: datetime


class Observer:
    """Takes messages as they come; the table and the report read it."""

    def __init__(self, cameras: Sequence[str], part: str = "") -> None:
        """`part`: the class of the part itself, which is not a defect."""
        self._part = part
        self.cameras = {camera: ObservedCamera() for camera in cameras}
        self.alerts: list[ReceivedAlert] = []
        self.latencies_s: list[float] = []
        """Capture to inspection, of every inspected frame."""
        self._outcomes: dict[tuple[str, str, int], set[str]] = {}
        self._last: dict[tuple[str, str], int] = {}
        self._first_at: datetime | None = None
        self._last_at: datetime | None = None

    def add_message(self, message: Message) -> None:
        """Take one record of the inspections topic."""
        if isinstance(message, Inspection):
            self._add_inspection(message)
        elif isinstance(message, CameraStatus):
            self.cameras[message.camera_id].state = message.state

    def add_alert(self, defect: Defect, at: datetime) -> None:
        """Take one alert that arrived at `at`."""
        self.alerts.append(ReceivedAlert(defect, at))

    def _add_inspection(self, frame: Inspection) -> None:
        key = (frame.camera_id, frame.session, frame.seq)
        again = key in self._outcomes
        self._outcomes.setdefault(key, set()).add(frame.outcome)
        if again:
            return
        camera = self.cameras[frame.camera_id]
        if frame.outcome != "inspected":
            camera.other += 1
            camera.verdict = "unknown"  # no result is never a pass
            return
        camera.inspected += 1
        camera.behind_s = (frame.inspected_at - frame.captured_at).total_seconds()
        camera.batch = frame.timings.batch_size
        camera.verdict = ", ".join(sorted({item.label for item in frame.detections} - {self._part})) or "ok"
        camera.recent.append(frame.captured_at)
        self.latencies_s.append(camera.behind_s)
        session = (frame.camera_id, frame.session)
        self._last[session] = max(frame.seq, self._last.get(session, 0))
        self._first_at = min(frame.captured_at, self._first_at or frame.captured_at)
        self._last_at = max(frame.captured_at, self._last_at or frame.captured_at)

    @property
    def inspected(self) -> int:
        return len(self.latencies_s)

    @property
    def seconds(self) -> float:
        """From the first inspected frame's capture to the last one's."""
        if self._first_at is None or self._last_at is None:
            return 0.0
        return (self._last_at - self._first_at).total_seconds()

    @property
    def sessions(self) -> list[InspectedSession]:
        """Each session with its last inspected frame."""
        return [InspectedSession(camera, session, seq) for (camera, session), seq in self._last.items()]

    @property
    def conflicts(self) -> int:
        """Frames with more than one outcome."""
        return sum(len(outcomes) > 1 for outcomes in self._outcomes.values())

    @property
    def repeated_alerts(self) -> int:
        """Alerts that came again under the same event id."""
        return len(self.alerts) - len({alert.defect.event_id for alert in self.alerts})

    @property
    def raised(self) -> list[Defect]:
        """The last event of each defect."""
        return list({alert.defect.defect_id: alert.defect for alert in self.alerts}.values())

    @property
    def alert_latencies_s(self) -> list[float]:
        """Capture of the frame that confirmed a defect, to its alert in a consumer's hands."""
        opened = [alert for alert in self.alerts if alert.defect.transition == "opened"]
        return [(alert.at - alert.defect.at).total_seconds() for alert in opened]


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The value that `percent` of all values do not exceed (nearest rank); None if there are no values."""
    if not values:
        return None
    return sorted(values)[max(0, ceil(len(values) * percent / 100) - 1)]
