"""A person's change to a camera: read from the command line, checked as line.yaml is, applied to the registry. Pure.

A change counts for the camera as the person saw it. If somebody else has changed it meanwhile, theirs stands.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

import yaml
from pydantic import JsonValue, ValidationError

from andon.cameras.sections import Section, require_no_password
from andon.config import complaints
from andon.errors import ConfigError, FatalError
from andon.messages import CameraConfig
from andon.settings import CameraSettings, Settings

ConfigChange = Callable[[CameraConfig | None], CameraConfig | None]


def assignments(texts: Iterable[str]) -> dict[str, JsonValue]:
    """`fps=10`, `usb.width=1280`, `roi=[0, 0, 640, 480]`: each value as YAML reads it. Raises ConfigError."""
    found: dict[str, JsonValue] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"{text.partition('=')[0]}: expected KEY=VALUE, such as fps=10")
        try:
            found[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise ConfigError(f"{key.strip()}: the value is not valid YAML: put quotes around a text") from None
    return found


def merged(section: Mapping[str, JsonValue], changes: Mapping[str, JsonValue]) -> Section:
    """The section with the changes; null takes a key away, so that its default counts again."""
    result = {**section}
    for key, value in changes.items():
        outer, dot, inner = key.partition(".")
        below = result.get(outer)
        inside = below if isinstance(below, dict) else {}
        new = merged(inside, {inner: value}) or None if dot else value
        if new is None:
            result.pop(outer, None)
        else:
            result[outer] = new
    return result


def checked(camera_id: str, section: Section, line: Settings) -> Section:
    """The section, if it is right as far as that can be said without its secrets. Raises ConfigError, one line."""
    where = f"camera {camera_id}"
    try:
        camera = CameraSettings.model_validate({**section, "id": camera_id})
    except ValidationError as error:
        raise ConfigError("; ".join(complaints(error, where, CameraSettings))) from None
    require_no_password(camera.url.get_secret_value())
    if camera.pool not in line.pools:
        raise ConfigError(f"{where} is in pool {camera.pool!r}; the pools are: {', '.join(line.pools)}")
    return section


class Edit:
    """One person's change, for `Writer.change`. It leaves alone what somebody else has changed meanwhile."""

    def __init__(self, camera_id: str, before: CameraConfig | None, wanted: CameraConfig | None) -> None:
        """`before`: the camera when the person decided; None: there was none. `wanted`: None removes it."""
        self._camera_id = camera_id
        self._before = before
        self._wanted = wanted
        self._overtaken = False

    def __call__(self, present: CameraConfig | None) -> CameraConfig | None:
        if self._overtaken or _settings(present) not in (_settings(self._before), _settings(self._wanted)):
            self._overtaken = True
            return present
        return self._wanted

    def require_done(self) -> None:
        """Raises FatalError: somebody else was faster."""
        if self._overtaken:
            raise FatalError(
                f"camera {self._camera_id}: somebody else has just changed it, so your change was not made:"
                f" look at it (`andon camera show {self._camera_id}`) and try again"
            )


def _settings(config: CameraConfig | None) -> Section | None:
    return None if config is None else config.settings


def with_settings(before: CameraConfig, settings: Section, at: datetime) -> CameraConfig:
    """The camera with other settings. line.yaml's section stays the one that it came from."""
    return before.model_copy(update={"settings": settings, "at": at})


def unknown(camera_id: str, known: Iterable[str]) -> ConfigError:
    """There is no such camera; the one that was probably meant."""
    names = sorted(known)
    near = difflib.get_close_matches(camera_id, names, n=1)
    meant = f"did you mean {near[0]}?" if near else "`andon camera list` shows them" if names else "there is none yet"
    return ConfigError(f"camera {camera_id}: there is no such camera; {meant}")
