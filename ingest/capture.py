"""One attempt at a camera, on a thread of its own: open it and take its pictures until it ends, is lost, or is stopped.

Nothing here waits for the broker, except for a source that can be slowed. Every call that may block for ever (a name
look-up, a network disk, a driver) is noted before it begins, so that the event loop sees one that does not return.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from andon.clock import Clock
from andon.events import CameraNoted, Emit, FrameCaptured, FrameCorrupt, FramesShed, FrameTooLarge, GapFound
from andon.messages import Frame, ImageHealth
from andon.pictures.health.monitor import HealthMonitor
from andon.pictures.picture import Bgr
from andon.process.tracing import Tracing
from andon.settings import CameraSettings
from ingest.bridge import Bridge
from ingest.dating import Redated, dated, not_redated
from ingest.encode import FpsLimit, cropped, jpeg
from ingest.frame_fields import part_size, picture_fields
from ingest.held_units import HeldUnits
from ingest.sources.source import (
    DamagedPictureError,
    EncodedPicture,
    FrameSource,
    NoPictureYetError,
    OpenSource,
    Picture,
    SourceInfo,
    try_read,
)
from ingest.sources.timeline import DecodingOrder, Stamp, timeline

NO_PACE = (
    "its timestamps don't advance as time does: the host's clock at arrival dates its frames until they do; "
    "`andon camera test` compares the two"
)


@dataclass(frozen=True, slots=True)
class Tools:
    """Shared by all cameras of a process."""

    open_source: OpenSource
    clock: Clock
    emit: Emit
    max_payload_bytes: int
    """The largest picture that the broker takes."""
    clock_offset_s: Callable[[], float | None] = lambda: None
    """How far the host's clock is ahead of `clock`, which is the line's time; None: nobody has measured it."""
    redated: Redated = not_redated
    tracing: Tracing | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """Something that the capture's thread does, and by when it must be done."""

    name: str
    limit_s: float
    settings: str
    """The keys of line.yaml whose sum is the limit."""
    deadline_s: float
    """On the monotonic clock."""

    def __str__(self) -> str:
        return f"{self.name} has not returned for {self.limit_s:g} s ({self.settings})"


class Capture:
    """`run` on its own thread; `stop` from any."""

    def __init__(
        self,
        camera: CameraSettings,
        bridge: Bridge,
        tools: Tools,
        begun: Callable[[str], object],
        monitor: HealthMonitor | None = None,
        waits: Callable[[str], object] = lambda _: None,
    ) -> None:
        """`begun` is called from the capture's thread with the session's name when its first picture is put, and
        `waits` before that with what a stream that delivers no picture yet waits for, once for each text.

        `monitor` looks at each picture; None: nobody does.
        """
        self._camera = camera
        self._bridge = bridge
        self._tools = tools
        self._begun = begun
        self._monitor = monitor
        self._waits = waits
        self._waits_for = ""
        self._health: ImageHealth | None = None
        self._stopped = threading.Event()
        self._call: Call | None = None
        self._noted: set[str] = set()
        self._session: str | None = None
        self._seq = 0
        self._start_s = 0.0
        self._clock_offset_s: float | None = None
        self._carried = HeldUnits(tools.max_payload_bytes)

    def stop(self) -> None:
        self._stopped.set()

    def overdue(self) -> Call | None:
        """The call that should have returned by now; None: there is none. From any thread."""
        call = self._call
        return call if call is not None and self._tools.clock.monotonic() > call.deadline_s else None

    def run(self) -> bool:
        """Returns at the end of the stream or when stopped: whether that is how such a source ends (a file's end).

        Raises:
            SourceError: the camera can't be had, or was lost.
        """
        self._begin("opening the camera", "open_timeout_s", self._camera.open_timeout_s)
        source = self._tools.open_source(self._camera, self._tools.clock)
        try:
            self._note(*source.info.notes)
            self._take_all(source)
            return source.info.clock == "file"
        finally:
            self._begin("closing the camera", "read_timeout_s", self._camera.read_timeout_s)
            source.close()
            self._call = None

    def _begin(self, name: str, setting: str, timeout_s: float) -> None:
        limit_s = timeout_s + self._camera.hang_grace_s
        deadline_s = self._tools.clock.monotonic() + limit_s
        self._call = Call(name, limit_s, f"{setting} + hang_grace_s", deadline_s)

    def _read(self, source: FrameSource) -> Picture | None:
        """The next picture; None: the stream has ended, or the capture was stopped."""
        while not self._stopped.is_set():
            self._begin("reading a picture", "read_timeout_s", self._camera.read_timeout_s)
            try:
                picture = try_read(source)
            except NoPictureYetError as error:
                self._wait_for(str(error))
                continue
            return None if self._stopped.is_set() else picture
        return None

    def _wait_for(self, what: str) -> None:
        if self._session is None and what != self._waits_for:
            self._waits_for = what
            self._waits(what)

    def _take_all(self, source: FrameSource) -> None:
        clock, info = self._tools.clock, source.info
        paced = info.clock == "file" and self._camera.pace == "realtime"
        waits = info.clock == "file" and not paced and self._camera.policy == "lossless"
        limit = FpsLimit(self._camera.fps)
        line = DecodingOrder(timeline(info.clock, info.fps, paced=paced), info.fps)
        while (picture := self._read(source)) is not None:
            if source.info is not info:
                info = source.info
                self._note(*info.notes)
            self._clock_offset_s = self._tools.clock_offset_s()
            stamp = line.place(picture.pts_s, clock, b_frame=picture.unit is not None and picture.b_frame)
            if stamp.clock != info.clock:
                self._note(NO_PACE)
            if paced and not self._due(stamp.media_time_s or 0.0):
                return
            if picture.unit is not None:
                at_s = line.order_s(picture.decode_s)
            else:
                at_s = clock.monotonic() if stamp.media_time_s is None else stamp.media_time_s
            if not picture.shown or not limit.takes(at_s):
                self._leave_out(picture)
            elif not self._put(picture, stamp, info, wait=waits):
                return

    def _leave_out(self, picture: Picture) -> None:
        """The picture is no frame; later ones may be made from it."""
        if picture.unit is not None:
            self._carried.hold(picture)

    def _note(self, *notes: str) -> None:
        for note in notes:
            if note not in self._noted:
                self._noted.add(note)
                self._tools.emit(CameraNoted(self._camera.id, note))

    def _due(self, media_time_s: float) -> bool:
        """Wait until a file's picture is due; False: stopped meanwhile."""
        self._call = None
        now = self._tools.clock.monotonic()
        if media_time_s == 0.0:
            self._start_s = now
        return not self._stopped.wait(max(0.0, self._start_s + media_time_s - now))

    def _put(self, picture: Picture, stamp: Stamp, info: SourceInfo, *, wait: bool) -> bool:
        self._begin("encoding a picture", "read_timeout_s", self._camera.read_timeout_s)
        began = self._tools.clock.monotonic()
        encoded = self._encode(picture, stamp, info)
        encode_s = self._tools.clock.monotonic() - began
        # the broker may have been found while the picture was encoded: its age must be counted by one clock
        frame = dated(self._frame(encoded, stamp, corrupt=picture.corrupt or not encoded.payload), self._tools.redated)
        self._call = None
        if self._tools.tracing is not None:
            frame = self._tools.tracing.captured(frame, self._camera.pool, began)
        shed = self._bridge.put(frame, wait=wait)
        if shed is None:
            return False
        self._seq += 1
        self._report(frame, encode_s, shed)
        return True

    def _encode(self, picture: Picture, stamp: Stamp, info: SourceInfo) -> EncodedPicture:
        """Without a payload if there are no pixels, no JPEG can hold them, or it would be larger than the line takes:
        such a frame is numbered like any other, and quarantined."""
        if picture.unit is not None:
            if self._monitor is not None:
                self._monitor.sized(part_size(picture.unit, self._camera))
            return self._within_limits(self._carried.before(picture))
        if picture.bgr is None:
            return EncodedPicture(b"", max(1, info.width), max(1, info.height), damage=picture.damage)
        if picture.jpeg is None:
            part = cropped(picture.bgr(), self._camera.roi)
            self._look(picture, stamp, lambda: part)
            encoded = jpeg(part, self._camera)
        else:
            encoded = picture.jpeg
            try:
                self._look(picture, stamp, picture.bgr)
            except DamagedPictureError as error:
                return EncodedPicture(b"", encoded.width, encoded.height, damage=str(error))
        return self._within_limits(encoded)

    def _within_limits(self, encoded: EncodedPicture) -> EncodedPicture:
        size_bytes = len(encoded.payload)
        for limit, key, others in (
            (self._tools.max_payload_bytes, "kafka.max_record_bytes", " and worker.max_frame_bytes"),
            (self._camera.mailbox_bytes, "the camera's mailbox_bytes", ""),
        ):
            if size_bytes > limit:
                lower = "the camera to a lower bitrate" if encoded.video else "its jpeg_quality or longest_side lower"
                remedy = f"raise it{others}, or set {lower}"
                why = f"{size_bytes} bytes, {key} is {limit}: {remedy}"
                return replace(encoded, payload=b"", too_large=why)
        return encoded

    def _look(self, picture: Picture, stamp: Stamp, pixels: Callable[[], Bgr]) -> None:
        if self._monitor is None or picture.corrupt:
            return
        at_s = self._tools.clock.monotonic() if stamp.media_time_s is None else stamp.media_time_s
        coded_bytes = None if picture.jpeg is None else len(picture.jpeg.payload)
        self._health = self._monitor.saw(pixels, at_s, coded_bytes)

    def _frame(self, encoded: EncodedPicture, stamp: Stamp, *, corrupt: bool) -> Frame:
        fields = picture_fields(encoded, self._camera, None if self._monitor is None else self._monitor.rules)
        if self._session is None:
            self._session = self._bridge.begin()
            self._begun(self._session)
        return Frame(
            camera_id=self._camera.id,
            session=self._session,
            seq=self._seq,
            captured_at=stamp.captured_at,
            clock=stamp.clock,
            clock_offset_s=self._clock_offset_s,
            media_time_s=stamp.media_time_s,
            payload=encoded.payload,
            max_age_s=self._camera.max_age_s if self._camera.policy == "freshest" else None,
            corrupt=corrupt,
            damage=encoded.damage or None,
            too_large=encoded.too_large,
            health=self._health,
            **fields,
        )

    def _report(self, frame: Frame, encode_s: float, shed: int) -> None:
        emit = self._tools.emit
        emit(FrameCaptured(frame.camera_id, len(frame.payload), encode_s))
        if frame.too_large is not None:
            emit(FrameTooLarge(frame.camera_id, frame.frame_id, frame.too_large))
        elif frame.corrupt:
            emit(FrameCorrupt(frame.camera_id, frame.frame_id, frame.damage or ""))
        if frame.gap is not None:
            emit(GapFound(frame.camera_id, frame.frame_id, frame.gap))
        if shed:
            emit(FramesShed(frame.camera_id, self._bridge.shed_reason, shed))
