"""Whether the frames of each camera get inspected: a worker that sheds or quarantines all of them is busy, too."""

from dataclasses import dataclass

from andon.clock import Clock
from andon.events import Event, FrameInspected, FramesShed, RecordQuarantined
from andon.process.metrics import Reading
from andon.process.progress import Duty, Progress, Work

MOST_CAMERAS = 1000
"""That are watched at once. 1000: many times a line's; a broken producer may invent more."""
UNKNOWN = "unknown"
"""Stands for the camera of a record that nobody can read; it is none of the line's."""
FORGET_S = 60.0
"""A camera of which nothing has come for longer owes no inspection."""


@dataclass(slots=True)
class _Camera:
    """What became of one camera's frames."""

    inspected: int = 0
    refused_s: float | None = None
    """When a frame was last shed or quarantined, if none was inspected since."""
    reason: str = ""


class Outcomes:
    """A subscriber of the worker's events, and a duty for each camera that it hears of. Event loop only."""

    def __init__(self, progress: Progress, clock: Clock) -> None:
        self._progress = progress
        self._clock = clock
        self._cameras: dict[str, _Camera] = {}
        self._duties: dict[str, Duty] = {}

    def __call__(self, event: Event) -> None:
        match event:
            case FrameInspected() if event.camera in self._cameras:
                camera = self._cameras[event.camera]
                camera.inspected += 1
                camera.refused_s = None
            case FramesShed():
                self._refused(event.camera, f"its frames are shed as {event.reason}")
            case RecordQuarantined():
                self._refused(event.camera, f"its frames are quarantined as {event.reason}: {event.error}")

    def stalled(self) -> list[Reading]:
        """By camera, for the gauge."""
        return [((camera,), duty.stalled_s) for camera, duty in self._duties.copy().items()]

    def _refused(self, camera_id: str, reason: str) -> None:
        if camera_id == UNKNOWN or (camera_id not in self._cameras and len(self._cameras) >= MOST_CAMERAS):
            return
        camera = self._camera(camera_id)
        camera.refused_s, camera.reason = self._clock.monotonic(), reason

    def _camera(self, camera_id: str) -> _Camera:
        camera = self._cameras.get(camera_id)
        if camera is None:
            camera = self._cameras[camera_id] = _Camera()
            self._duties[camera_id] = self._progress.duty(f"the inspection of {camera_id}", lambda: self._work(camera))
        return camera

    def _work(self, camera: _Camera) -> Work:
        refused = camera.refused_s is not None and self._clock.monotonic() - camera.refused_s < FORGET_S
        return Work(camera.inspected, refused, camera.reason)
