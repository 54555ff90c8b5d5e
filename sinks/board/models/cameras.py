"""Cameras in the API: what they are, how they do, and changes to them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from andon.messages import CameraConfig, CameraId
from sinks.board.models.andon import CameraTile
from sinks.board.shown_url import shown_url


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Camera(_Model):
    tile: CameraTile
    settings: dict[str, JsonValue] | None
    """As line.yaml writes them; of an address in the network only its host. None: the registry has not been read
    yet."""
    changed_at: datetime | None

    @classmethod
    def of(cls, tile: CameraTile, config: CameraConfig | None) -> "Camera":
        if config is None:
            return cls(tile=tile, settings=None, changed_at=None)
        section = dict(config.settings or {})
        shown = {"url": shown_url(str(section["url"]))} if "url" in section else {}
        return cls(tile=tile, settings=section | shown, changed_at=config.at)


class Cameras(_Model):
    items: list[Camera]


class Session(_Model):
    session: str
    began: datetime | None
    ended: str | None
    """final or superseded; None: it goes on."""
    captured: int
    inspected: int
    shed: Mapping[str, int]
    quarantined: Mapping[str, int]
    lost: Mapping[str, int]
    in_flight: int


class Silence(_Model):
    """A time without frames."""

    start: datetime
    end: datetime | None
    reason: str
    watched: bool
    """False: the camera was stopped on purpose."""


class CameraHistory(_Model):
    sessions: list[Session]
    silences: list[Silence]
    """Those of the last 24 hours."""


class CameraFrame(_Model):
    """The newest inspected frame."""

    frame: str
    picture: str
    """Where its picture is, below the board's address."""
    at: datetime
    latency_s: float
    width: int
    height: int
    health: str | None
    boxes: list[dict[str, JsonValue]]


SettingsBody = Annotated[dict[str, JsonValue], Field(max_length=100)]


class NewCamera(_Body):
    id: CameraId
    settings: SettingsBody
    """As a camera in line.yaml, without its id. A password never stands in `url`: ${VAR} or ${file:PATH} name it."""


class CameraChange(_Body):
    changes: SettingsBody
    """By setting; a dot leads into a section, and null brings the default back."""


class CameraAddress(_Body):
    url: Annotated[str, Field(min_length=1, max_length=2000)]


class CameraTrial(_Model):
    facts: dict[str, JsonValue]
    notes: list[str]
    snapshot: str | None
    """Where its picture is, for a short time."""
