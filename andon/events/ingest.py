"""Events of ingest: cameras, frames and the spool."""

from dataclasses import dataclass
from typing import ClassVar

from andon.events.event import Event, Level
from andon.messages import CameraState, ShedReason


@dataclass(frozen=True, slots=True)
class CameraChanged(Event):
    name: ClassVar[str] = "camera.changed"
    camera: str
    state: CameraState
    session: str
    detail: str


@dataclass(frozen=True, slots=True)
class CaptureFailed(Event):
    """The capture of one camera raised an error that nobody foresaw. The camera is offline, and tried again."""

    name: ClassVar[str] = "capture.failed"
    level: ClassVar[Level] = "error"
    camera: str
    error: str


@dataclass(frozen=True, slots=True)
class CameraResized(Event):
    """From here on the pictures have another size, after the roi and before shrinking. The camera goes on."""

    name: ClassVar[str] = "camera.resized"
    level: ClassVar[Level] = "warning"
    camera: str
    before: str
    now: str


@dataclass(frozen=True, slots=True)
class CameraNoted(Event):
    """Something about a camera's pictures that a person may not expect. Each note once a session."""

    name: ClassVar[str] = "camera.noted"
    level: ClassVar[Level] = "warning"
    camera: str
    what: str


@dataclass(frozen=True, slots=True)
class FrameCaptured(Event):
    name: ClassVar[str] = "frame.captured"
    level: ClassVar[Level] = "debug"
    camera: str
    size_bytes: int
    encode_s: float


@dataclass(frozen=True, slots=True)
class FrameCorrupt(Event):
    name: ClassVar[str] = "frame.corrupt"
    level: ClassVar[Level] = "warning"
    camera: str
    frame: str
    error: str = ""
    """What the decoder says of it; empty: nothing."""


@dataclass(frozen=True, slots=True)
class FrameTooLarge(Event):
    """A topic takes no record of this picture's size: the frame goes on without it, and is quarantined."""

    name: ClassVar[str] = "frame.too_large"
    level: ClassVar[Level] = "warning"
    camera: str
    frame: str
    error: str


@dataclass(frozen=True, slots=True)
class GapFound(Event):
    """A camera's video lacks data in this frame or before it: nothing is inspected up to the next keyframe."""

    name: ClassVar[str] = "frame.gap"
    level: ClassVar[Level] = "warning"
    camera: str
    frame: str
    missing: str


@dataclass(frozen=True, slots=True)
class FramesShed(Event):
    """Frames that ingest gave up, or a worker because they were `stale`."""

    name: ClassVar[str] = "frame.shed"
    level: ClassVar[Level] = "warning"
    camera: str
    reason: ShedReason
    count: int
    by_worker: bool = False


@dataclass(frozen=True, slots=True)
class FramePublished(Event):
    name: ClassVar[str] = "frame.published"
    level: ClassVar[Level] = "debug"
    camera: str
    publish_s: float


@dataclass(frozen=True, slots=True)
class SpoolFilling(Event):
    """The broker is away or slow and the mailbox is full: frames go to disk."""

    name: ClassVar[str] = "spool.filling"
    level: ClassVar[Level] = "warning"
    camera: str


@dataclass(frozen=True, slots=True)
class SpoolFailed(Event):
    """The spool is full or its disk takes no writes: frames that find no room in the mailbox are shed."""

    name: ClassVar[str] = "spool.full"
    level: ClassVar[Level] = "error"
    camera: str
    error: str


@dataclass(frozen=True, slots=True)
class SpoolDrained(Event):
    """Every spooled record has been sent, in order."""

    name: ClassVar[str] = "spool.drained"
    camera: str
    records: int


@dataclass(frozen=True, slots=True)
class SpoolFound(Event):
    """An earlier process left these records: they are sent before any new one."""

    name: ClassVar[str] = "spool.found"
    level: ClassVar[Level] = "warning"
    camera: str
    records: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class SpoolDamaged(Event):
    """A part of the spool can't be read back; its frames are lost, and the ledger says so."""

    name: ClassVar[str] = "spool.damaged"
    level: ClassVar[Level] = "error"
    camera: str
    error: str
