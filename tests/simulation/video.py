"""Cameras of the simulation that send video: the real `CameraStream` proves frames; a decoder stands in, for speed."""

from dataclasses import dataclass, field
from functools import cache
from typing import cast

from av.video.frame import VideoFrame

from andon.messages import CameraStatus, Frame, ShedRange
from andon.pictures.picture import PictureLimits
from andon.video.decoder import DecodedUnit
from ingest.queue import Message
from tests.fakes import FakeClock
from tests.simulation.plan import GROUP
from tests.video_units import X264, Encoder, stream
from workers.decoding.health import VideoHealth
from workers.decoding.sessions import Decoders, VideoSession, VideoSessions
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
    sessions: VideoSessions
    unsettled: dict[int, tuple[int, VideoSession]] = field(default_factory=dict)
    """Offsets of frames that came out and are not published, with the keyframe and the session of each."""


class Video:
    """The streams of one assignment of a partition, with the rules of `VideoPartition`."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._cameras: dict[str, _Camera] = {}

    @property
    def needed_from(self) -> int | None:
        """The lowest offset from which a successor must read."""
        cameras = self._cameras.values()
        return min((low for camera in cameras for low in camera.sessions.needs(camera.unsettled)), default=None)

    def take(self, frame: Frame, offset: int, *, stale: bool) -> Outcome:
        """Each unit's picture comes out at once."""
        camera = self._cameras.get(frame.camera_id)
        if camera is None:
            sessions = VideoSessions(self._open, Decoders(1 << 10), self._clock, HOLD_S)
            camera = self._cameras[frame.camera_id] = _Camera(sessions)
        unit = frame.model_copy(update={"payload": _units()[frame.seq % GROUP]})
        for session in camera.sessions.surplus(frame.session):
            camera.sessions.drop(session)
        session = camera.sessions.turn(frame.session)
        (outcome,) = session.stream.take(VideoRecord(unit, offset, stale=stale))
        session.update(self._clock.monotonic())
        camera.unsettled[offset] = (offset if outcome.start is None else outcome.start, session)
        return outcome

    def _open(self, health: VideoHealth) -> CameraStream:
        return CameraStream(LIMITS, self._clock, lambda _: _Decoder(), None, health)

    def lose(self, camera_id: str, why: str) -> None:
        for session in self._cameras[camera_id].sessions if camera_id in self._cameras else ():
            self._ended(session, why)

    def _ended(self, session: VideoSession, why: str) -> None:
        session.stream.lose(why)
        session.update(self._clock.monotonic())

    def passes(self, message: Message) -> None:
        """A record that is not decoded."""
        camera = self._cameras.get(message.camera_id)
        session = None if camera is None else camera.sessions.find(message.session)
        if camera is None or session is None:
            return
        if isinstance(message, ShedRange) or (isinstance(message, CameraStatus) and message.final):
            self._ended(session, "nothing follows on what came before")
        if isinstance(message, CameraStatus) and message.final:
            camera.sessions.drop(session)

    def settled(self, camera_id: str, offset: int) -> None:
        """The frame's inspection is durable."""
        if camera_id in self._cameras:
            self._cameras[camera_id].unsettled.pop(offset, None)
