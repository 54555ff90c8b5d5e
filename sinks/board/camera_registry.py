"""The line's cameras as the registry has them, read for as long as the board runs; and people's changes to them."""

import asyncio
from collections.abc import Mapping
from datetime import datetime

from pydantic import JsonValue

from andon.backoff import Backoff
from andon.cameras.changing import Cameras, Decide, change_camera
from andon.cameras.edits import checked, merged, unknown, with_settings
from andon.cameras.registry import FOLLOW_MS, open_registry
from andon.cameras.sections import digest
from andon.errors import ConfigError, FatalError
from andon.events import silent
from andon.messages import CameraConfig
from andon.settings import Settings

AGAIN = Backoff(first_s=1.0, most_s=15.0)


class CameraRegistry:
    """`run` reads it. Without a broker the cameras stay as they were last read, and `fault` says why."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.cameras: Mapping[str, CameraConfig] | None = None
        """By id; None: they were never read."""
        self.fault: str | None = None

    def enabled(self, camera_id: str) -> bool:
        """Whether frames are expected of it. A camera of which nothing is known counts as enabled."""
        config = (self.cameras or {}).get(camera_id)
        return config is None or (config.settings or {}).get("enabled", True) is not False

    async def run(self) -> None:
        """Read until cancelled, and again from the start after each failure."""
        failures = 0
        while True:
            try:
                async with open_registry(self._settings.kafka, silent) as registry:
                    self.fault, failures = None, 0
                    registry.ask_seldom()
                    while True:
                        self.cameras = {name: registry.cameras[name].config for name in sorted(registry.cameras)}
                        await registry.poll(FOLLOW_MS)
            except (FatalError, ConfigError) as error:
                failures += 1
                self.fault = str(error)
                await asyncio.sleep(AGAIN.delay_s(failures))

    async def change(self, camera_id: str, decide: Decide) -> tuple[CameraConfig | None, CameraConfig | None]:
        """Change one camera; returns what it was and what it is. Raises ConfigError or FatalError, in one line."""
        before, after = await change_camera(self._settings.kafka, camera_id, decide)
        if self.cameras is not None:  # the page that follows shows it at once
            others = {name: config for name, config in self.cameras.items() if name != camera_id}
            self.cameras = dict(sorted((others | ({camera_id: after} if after else {})).items()))
        return before, after


def added(camera_id: str, section: Mapping[str, JsonValue], line: Settings, at: datetime) -> Decide:
    """The new camera. Raises ConfigError: a setting is wrong, or there is a camera of this id."""
    wanted = CameraConfig(camera_id=camera_id, settings=checked(camera_id, dict(section), line), at=at)

    def decide(cameras: Cameras) -> CameraConfig:
        if camera_id in cameras or any(camera.id == camera_id for camera in line.cameras):
            raise ConfigError(f"camera {camera_id}: there is one already: change that one, or choose another id")
        return wanted

    return decide


def changed(
    camera_id: str, changes: Mapping[str, JsonValue], line: Settings, at: datetime, known_digest: str | None = None
) -> Decide:
    """The camera with these changes. `known_digest`: of its settings as the person saw them; None: whatever they are.

    Raises ConfigError where a setting is wrong, FatalError where somebody else has changed the camera meanwhile.
    """

    def decide(cameras: Cameras) -> CameraConfig:
        present = _present(camera_id, cameras)
        if known_digest is not None and digest(present.settings or {}) != known_digest:
            raise FatalError(f"camera {camera_id}: somebody else has changed it meanwhile: look at it and try again")
        return with_settings(present, checked(camera_id, merged(present.settings or {}, changes), line), at)

    return decide


def removed(camera_id: str) -> Decide:
    """No such camera. Raises ConfigError where there is none."""

    def decide(cameras: Cameras) -> None:
        _present(camera_id, cameras)

    return decide


def _present(camera_id: str, cameras: Cameras) -> CameraConfig:
    if camera_id not in cameras:
        raise unknown(camera_id, cameras)
    return cameras[camera_id]
