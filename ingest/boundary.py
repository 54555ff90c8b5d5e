"""One camera, one boundary: an error that nobody foresaw takes down its camera, not the process.

Only if every camera of the process fails so, again and again, is it the process that is ill: then it ends, and its
supervisor starts it again.
"""

from collections.abc import Iterable

from andon.errors import FatalError

ATTEMPTS = 3
"""Unforeseen failures in a row of every camera that end the process."""


class Boundary:
    """Shared by the cameras of a process. Event loop only."""

    def __init__(self, cameras: Iterable[str] = ()) -> None:
        self._failures = dict.fromkeys(cameras, 0)

    def begun(self, camera_id: str) -> None:
        """It is one of the process's cameras from now on."""
        self._failures[camera_id] = 0

    def failed(self, camera_id: str, reason: str) -> None:
        """Raises FatalError: now every camera has failed `ATTEMPTS` times in a row."""
        self._failures[camera_id] = self._failures.get(camera_id, 0) + 1
        if all(count >= ATTEMPTS for count in self._failures.values()):
            raise FatalError(f"every camera fails in a way that nobody foresaw; the last one, {camera_id}: {reason}")

    def worked(self, camera_id: str) -> None:
        """It delivered a picture, or was away for a reason that is foreseen."""
        self._failures[camera_id] = 0

    def ended(self, camera_id: str) -> None:
        """It has come to its end, as a file does, or is another ingester's now, and counts no more."""
        self._failures.pop(camera_id, None)
