"""One attempt at a camera, on a thread of its own: open it and take its pictures until it ends, is lost, or is stopped.

Nothing here waits for the broker, except for a source that can be slowed.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from andon.clock import Clock
from andon.events import Emit, FrameCaptured, FrameCorrupt, FramesShed
from andon.messages import Frame, ImageHealth
from andon.settings import CameraSettings
from ingest.encode import FpsLimit, cropped, jpeg
from ingest.handoff import Handoff
from ingest.source import Bgr, DamagedPictureError, Encoded, FrameSource, OpenSource, Picture, SourceInfo
from ingest.timeline import Stamp, timeline
from ingest.watch import Watch


@dataclass(frozen=True, slots=True)
class Tools:
    """What every camera of a process shares."""

    open_source: OpenSource
    clock: Clock
    emit: Emit
    max_payload_bytes: int
    """The broker takes no larger picture."""


class Capture:
    """`run` on its own thread; `stop` from any."""

    def __init__(
        self,
        camera: CameraSettings,
        handoff: Handoff,
        tools: Tools,
        begun: Callable[[str], object],
        watch: Watch | None = None,
    ) -> None:
        """`begun` is called from the capture's thread with the session's name when its first picture is put.

        `watch` looks at each picture; None: nobody does.
        """
        self._camera = camera
        self._handoff = handoff
        self._tools = tools
        self._begun = begun
        self._watch = watch
        self._health: ImageHealth | None = None
        self._stopped = threading.Event()
        self._max_bytes = min(tools.max_payload_bytes, camera.mailbox_bytes)
        self._session: str | None = None
        self._seq = 0
        self._start_s = 0.0

    def stop(self) -> None:
        self._stopped.set()

    def run(self) -> bool:
        """Returns at the end of the stream or when stopped: whether that is how such a source ends (a file's end).

        Raises:
            SourceError: the camera can't be had, or was lost.
        """
        source = self._tools.open_source(self._camera, self._tools.clock)
        try:
            self._take_all(source)
            return source.info.clock == "file"
        finally:
            source.close()

    def _take_all(self, source: FrameSource) -> None:
        clock, info = self._tools.clock, source.info
        paced = info.clock == "file" and self._camera.pace == "realtime"
        waits = info.clock == "file" and not paced and self._camera.policy == "lossless"
        limit = FpsLimit(self._camera.fps)
        line = timeline(info.clock, info.fps, paced=paced)
        while not self._stopped.is_set() and (picture := source.read()) is not None:
            stamp = line.place(picture.pts_s, clock.now())
            if paced and not self._due(stamp.media_time_s or 0.0):
                return
            at_s = clock.monotonic() if stamp.media_time_s is None else stamp.media_time_s
            if limit.takes(at_s) and not self._put(picture, stamp, info, wait=waits):
                return

    def _due(self, media_time_s: float) -> bool:
        """Wait until a file's picture is due; False: stopped meanwhile."""
        now = self._tools.clock.monotonic()
        if media_time_s == 0.0:
            self._start_s = now
        return not self._stopped.wait(max(0.0, self._start_s + media_time_s - now))

    def _put(self, picture: Picture, stamp: Stamp, info: SourceInfo, *, wait: bool) -> bool:
        began = self._tools.clock.monotonic()
        encoded = self._encode(picture, stamp, info)
        encode_s = self._tools.clock.monotonic() - began
        frame = self._frame(encoded, stamp, corrupt=picture.corrupt or not encoded.payload)
        given_up = self._handoff.put(frame, wait=wait)
        if given_up is None:
            return False
        self._seq += 1
        self._tell(frame, encode_s, given_up)
        return True

    def _encode(self, picture: Picture, stamp: Stamp, info: SourceInfo) -> Encoded:
        """Without a payload where there are no pixels, or more than the broker takes: it is quarantined, not lost."""
        if picture.bgr is None:
            return Encoded(b"", max(1, info.width), max(1, info.height))
        if picture.jpeg is None:
            part = cropped(picture.bgr(), self._camera.roi)
            self._look(picture, stamp, lambda: part)
            encoded = jpeg(part, self._camera)
        else:
            encoded = picture.jpeg
            try:
                self._look(picture, stamp, picture.bgr)
            except DamagedPictureError:
                return Encoded(b"", encoded.width, encoded.height)
        if len(encoded.payload) > self._max_bytes:
            return Encoded(b"", encoded.width, encoded.height)
        return encoded

    def _look(self, picture: Picture, stamp: Stamp, pixels: Callable[[], Bgr]) -> None:
        if self._watch is None or picture.corrupt:
            return
        at_s = self._tools.clock.monotonic() if stamp.media_time_s is None else stamp.media_time_s
        coded_bytes = None if picture.jpeg is None else len(picture.jpeg.payload)
        self._health = self._watch.saw(pixels, at_s, coded_bytes)

    def _frame(self, encoded: Encoded, stamp: Stamp, *, corrupt: bool) -> Frame:
        if self._session is None:
            self._session = self._handoff.begin()
            self._begun(self._session)
        return Frame(
            camera_id=self._camera.id,
            session=self._session,
            seq=self._seq,
            captured_at=stamp.captured_at,
            clock=stamp.clock,
            media_time_s=stamp.media_time_s,
            width=encoded.width,
            height=encoded.height,
            payload=encoded.payload,
            max_age_s=self._camera.max_age_s if self._camera.policy == "freshest" else None,
            corrupt=corrupt,
            health=self._health,
        )

    def _tell(self, frame: Frame, encode_s: float, given_up: int) -> None:
        emit = self._tools.emit
        emit(FrameCaptured(frame.camera_id, len(frame.payload), encode_s))
        if frame.corrupt:
            emit(FrameCorrupt(frame.camera_id, frame.frame_id))
        if given_up:
            emit(FramesShed(frame.camera_id, self._handoff.shed_reason, given_up))
