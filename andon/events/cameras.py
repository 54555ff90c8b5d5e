"""Events of the registry: which cameras a line has, and which ingester captures them."""

from dataclasses import dataclass
from typing import ClassVar

from andon.events.event import Event, Level


@dataclass(frozen=True, slots=True)
class CameraRecordUnreadable(Event):
    """A record of the cameras' topic is none of ours, or of a later version. Its camera stays as it was."""

    name: ClassVar[str] = "camera.record_unreadable"
    level: ClassVar[Level] = "error"
    error: str


@dataclass(frozen=True, slots=True)
class CamerasSeeded(Event):
    """What a start has published of line.yaml: the ids of the cameras, `-` for none."""

    name: ClassVar[str] = "cameras.seeded"
    added: str
    changed: str
    removed: str


@dataclass(frozen=True, slots=True)
class PasswordKeptOut(Event):
    """A url in line.yaml holds a password itself. It is not published: an ingester finds it in its own line.yaml."""

    name: ClassVar[str] = "camera.password_kept_out"
    level: ClassVar[Level] = "warning"
    cameras: str
    remedy: str = "write it as ${VAR} or ${file:PATH}, so that an ingester with another line.yaml can capture them, too"


@dataclass(frozen=True, slots=True)
class CameraNotStarted(Event):
    """This ingester lacks something that the camera needs. It is offline, and tried again."""

    name: ClassVar[str] = "camera.not_started"
    level: ClassVar[Level] = "error"
    camera: str
    reason: str
