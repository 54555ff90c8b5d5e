"""Counts the records that a worker quarantines, camera by camera: past its limit a camera is reported, and no other."""

from collections import Counter, deque
from dataclasses import dataclass, field

from andon.errors import FatalError, PoisonError
from andon.events import CameraRefused, CameraResumed, Emit

MOST_CAMERAS = 1000
"""That are remembered at once. 1000: many times a line's; a broken producer may invent more."""


@dataclass(slots=True)
class _Camera:
    recent: deque[tuple[float, str]] = field(default_factory=deque)
    """(monotonic seconds, reason) of the records quarantined within the window."""
    newest: float = 0.0
    reported_at: float | None = None
    """None: it is below its limit."""


class QuarantineLimit:
    """A camera of which more than `limit` records go to quarantine within `window_s` is reported, once a window.

    Its frames are still tried, one by one. Only if the model fails on the pictures of several cameras, and on all of
    them, is the fault the worker's own: it ends before it has quarantined a whole line.
    """

    def __init__(self, limit: int, window_s: float, emit: Emit) -> None:
        self._limit = limit
        self._window_s = window_s
        self._emit = emit
        self._cameras: dict[str, _Camera] = {}
        self._inspected_at: float | None = None

    def refused(self, now: float) -> dict[str, bool]:
        """By camera with a record in quarantine: whether it is past its limit. From any thread."""
        since = now - self._window_s
        return {
            camera_id: camera.reported_at is not None and camera.newest >= since
            for camera_id, camera in list(self._cameras.items())
        }

    def admit(self, camera_id: str, error: PoisonError, now: float) -> None:
        """Count one more record of this camera at `now`, by a monotonic clock.

        Raises FatalError, with the last error: the model fails on the pictures of all cameras.
        """
        camera = self._camera(camera_id)
        camera.recent.append((now, error.reason))
        camera.newest = now
        self._forget(camera, now)
        if len(camera.recent) > self._limit:
            self._report(camera_id, camera, error, now)
        if error.reason == "detector_error":
            self._require_another_fault(error, now)

    def inspected(self, camera_id: str, now: float) -> None:
        """A frame of this camera went through the model."""
        self._inspected_at = now
        camera = self._cameras.get(camera_id)
        if camera is None:
            return
        self._forget(camera, now)
        if camera.reported_at is not None and len(camera.recent) <= self._limit:
            camera.reported_at = None
            self._emit(CameraResumed(camera_id))
        if not camera.recent:
            del self._cameras[camera_id]

    def _camera(self, camera_id: str) -> _Camera:
        if camera_id not in self._cameras and len(self._cameras) >= MOST_CAMERAS:
            del self._cameras[min(self._cameras, key=lambda known: self._cameras[known].newest)]
        return self._cameras.setdefault(camera_id, _Camera())

    def _forget(self, camera: _Camera, now: float) -> None:
        while camera.recent and now - camera.recent[0][0] > self._window_s:
            camera.recent.popleft()
        while len(camera.recent) > self._limit + 1:  # one more than the limit proves it
            camera.recent.popleft()

    def _report(self, camera_id: str, camera: _Camera, error: PoisonError, now: float) -> None:
        if camera.reported_at is not None and now - camera.reported_at <= self._window_s:
            return
        camera.reported_at = now
        self._emit(CameraRefused(camera_id, _reasons(camera.recent), self._limit, self._window_s, str(error)))

    def _require_another_fault(self, error: PoisonError, now: float) -> None:
        if self._inspected_at is not None and now - self._inspected_at <= self._window_s:
            return
        failures = [
            sum(at >= now - self._window_s and reason == error.reason for at, reason in camera.recent)
            for camera in self._cameras.values()
        ]
        failing = [count for count in failures if count]
        if len(failing) > 1 and sum(failing) > self._limit:
            raise FatalError(
                f"the model failed on {sum(failing)} pictures of {len(failing)} cameras within {self._window_s:.0f} s "
                f"and on none did it succeed (last: {error}), worker.quarantine_limit is {self._limit}: look at the "
                "model, its runtime and its device, since the pictures are hardly at fault"
            )


def _reasons(recent: deque[tuple[float, str]]) -> str:
    counts = Counter(reason for _, reason in recent)
    return ", ".join(f"{reason} {count}" for reason, count in counts.most_common())
