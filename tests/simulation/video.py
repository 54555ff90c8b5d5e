"""Cameras of the simulation that send video: the real `CameraStream` proves frames; a decoder stands in, for speed."""

from dataclasses import dataclass, field
from functools import cache
from typing import cast

from av.video.frame import VideoFrame

from andon.messages import CameraStatus, Frame, Shed
from andon.pictures.picture import PictureLimits
from andon.video.decoder import DecodedUnit
from ingest.queue import Message
from tests.fakes import FakeClock
from tests.simulation.plan import GROUP
from tests.video_units import X264, Encoder, stream
from workers.decoding.stream import CameraStream, Outcome, VideoRecord

HOLD_S = 30.0
"""`worker.group_hold_s`: longer than the faults last."""
LIMITS = PictureLimits(max_bytes=1_000_000, max_pixels=1_000_000)


class _Decoder:
    """Hands each picture out at once."""

    def feed(self, unit: bytes, number: int) -> list[DecodedUnit]:
        return [DecodedUnit(number, cast(VideoFrame, None), damaged=False)]

    def flush(self) -> list[DecodedUnit]:
        return []


@cache
def _units() -> tuple[bytes, ...]:
    """One group of real H.264."""
    return stream(Encoder(X264, f"keyint={GROUP}:min-keyint={GROUP}:bframes=0:scenecut=0", frames=GROUP)).units


@dataclass(slots=True)
class _Camera:
    stream: CameraStream
    start: int | None = None
    since_s: float = 0.0
    """Since when `start` is the stream's."""
    unsettled: dict[int, int] = field(default_factory=dict)
    """Offsets of frames that came out and are not published, with the keyframe of each."""


class Video:
    """The streams of one assignment of a partition, with the rules of `VideoPartition`."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._cameras: dict[str, _Camera] = {}

    @property
    def needed_from(self) -> int | None:
        """The lowest offset from which a successor must read."""
        return min((low for camera in self._cameras.values() for low in self._needs(camera)), default=None)

    def _needs(self, camera: _Camera) -> list[int]:
        young = self._clock.monotonic() - camera.since_s <= HOLD_S
        needs = [start if young else offset for offset, start in camera.unsettled.items()]
        return needs + ([camera.start] if young and camera.start is not None else [])

    def take(self, frame: Frame, offset: int, *, stale: bool) -> Outcome:
        """Each unit's picture comes out at once."""
        camera = self._cameras.get(frame.camera_id)
        if camera is None:
            camera = self._cameras[frame.camera_id] = _Camera(CameraStream(LIMITS, self._clock, lambda _: _Decoder()))
        unit = frame.model_copy(update={"payload": _units()[frame.seq % GROUP]})
        (outcome,) = camera.stream.take(VideoRecord(unit, offset, stale=stale))
        self._began(camera)
        camera.unsettled[offset] = offset if outcome.start is None else outcome.start
        return outcome

    def lose(self, camera_id: str, why: str) -> None:
        if camera_id in self._cameras:
            self._cameras[camera_id].stream.lose(why)
            self._began(self._cameras[camera_id])

    def _began(self, camera: _Camera) -> None:
        if camera.stream.start != camera.start:
            camera.start, camera.since_s = camera.stream.start, self._clock.monotonic()

    def passes(self, message: Message) -> None:
        """A record that is not decoded."""
        if isinstance(message, Shed) or (isinstance(message, CameraStatus) and self._ends(message)):
            self.lose(message.camera_id, "nothing follows on what came before")

    def settled(self, camera_id: str, offset: int) -> None:
        """The frame's inspection is durable."""
        if camera_id in self._cameras:
            self._cameras[camera_id].unsettled.pop(offset, None)

    def _ends(self, status: CameraStatus) -> bool:
        camera = self._cameras.get(status.camera_id)
        return camera is not None and status.final and status.session == camera.stream.session
