"""RTSP cameras and video files, through PyAV: with the stream's timestamps, time limits, and corrupt pictures marked.

FFmpeg's error texts hold the whole url with its password: none is passed on; see `ingest.sources.ffmpeg_errors`.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import av
import numpy as np
from av.codec.context import Flags
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from andon.clock import Clock
from andon.process.cores import cores
from andon.settings import CameraSettings
from ingest.encode import unchanged
from ingest.sources.damage import Damage
from ingest.sources.ffmpeg_errors import advised, explain
from ingest.sources.jpeg_header import passable
from ingest.sources.rtsp_login import refused_login
from ingest.sources.source import (
    Bgr,
    DamagedPictureError,
    Encoded,
    NoPictureYetError,
    Picture,
    SilentError,
    SourceError,
    SourceInfo,
)
from ingest.sources.tls import tls_options
from ingest.sources.urls import Address

PIXELS_A_THREAD = 1920 * 1088
"""One core decodes 1080p at about 100 frames a second. Larger pictures need more threads; each adds one frame of
latency."""

WAIT_S = 1.0
"""A read that has no picture for this long returns and says so."""
LONG_S = 2.0
"""A keyframe comes at least this often in a stream for inspection: nothing can be seen before the first, and whatever
is lost on the way spoils all pictures up to the next."""
SHORTER = "set the camera to a keyframe (I-frame) every 1 to 2 s"


class PyavSource:
    """One open stream. Its pictures come in the order in which they are shown."""

    def __init__(self, address: Address, camera: CameraSettings, clock: Clock) -> None:
        """Raises SourceError: one line with the reason why it can't be opened."""
        self._address = address
        self._camera = camera
        self._clock = clock
        self._silence_s = camera.read_timeout_s if address.kind == "rtsp" else None
        self._opened_s = clock.monotonic()
        self._container = _open(address, camera, clock)
        try:
            self._stream = _video(self._container, address)
            self._info = _info(self._stream, address)
            self._passing = _passing(self._stream, camera)
            self._packets: Iterator[Packet[VideoStream]] = self._container.demux(self._stream)
        except BaseException:
            self._container.close()
            raise
        self._ready: deque[Picture] = deque()
        self._reformatter = VideoReformatter()
        """Kept for all pictures: building its tables takes a third of a conversion's time."""
        self._damage = Damage()
        self._begun = False
        self._silent = False

    @property
    def info(self) -> SourceInfo:
        return self._info

    def read(self) -> Picture | None:
        began = self._clock.monotonic()
        while not self._ready:
            packet = self._packet(began)
            if packet is None:
                return None
            self._ready.extend(self._pictures(packet))
            if not self._ready and not self._begun and self._silence_s is not None:
                self._wait(began)
        return self._ready.popleft()

    def close(self) -> None:
        self._container.close()

    def _packet(self, began: float) -> "Packet[VideoStream] | None":
        if self._silent:
            raise self._silence()
        try:
            packet = next(self._packets, None)
        except (av.error.ExitError, av.error.TimeoutError) as error:
            raise SilentError(explain(error, self._address, reading=True)) from None
        except av.FFmpegError as error:
            raise SourceError(explain(error, self._address, reading=True)) from None
        if self._silence_s is not None and self._clock.monotonic() - began >= self._silence_s:
            # At the first timeout FFmpeg returns what its parser holds, and then waits as long again for more.
            if packet is None or not self._begun:
                raise self._silence()
            self._silent = True
        return packet

    def _begin(self) -> None:
        """The first picture has come out."""
        self._begun = True
        waited_s = self._clock.monotonic() - self._opened_s
        if self._silence_s is not None and waited_s > LONG_S:
            self._note(f"its first keyframe came {waited_s:.0f} s after the connection: {SHORTER}")

    def _note(self, note: str) -> None:
        self._info = replace(self._info, notes=(*self._info.notes, note))

    def _wait(self, began_s: float) -> None:
        """Raises NoPictureYetError, or SourceError if it has waited for too long."""
        now_s = self._clock.monotonic()
        if now_s - self._opened_s >= self._camera.keyframe_timeout_s:
            what = "no picture could be decoded" if self._damage.keyed else "no keyframe came"
            limit = f"within {self._camera.keyframe_timeout_s:g} s (keyframe_timeout_s)"
            raise SourceError(f"{self._address.shown}: {what} {limit}: {SHORTER}")
        if not self._damage.keyed:
            raise NoPictureYetError(f"waits for a keyframe: {SHORTER}")
        if now_s - began_s >= WAIT_S:
            raise NoPictureYetError("waits for the first picture that can be decoded")

    def _silence(self) -> SilentError:
        return SilentError(f"{self._address.shown}: no picture for {self._silence_s:g} s")

    def _pictures(self, packet: "Packet[VideoStream]") -> list[Picture]:
        if not self._passing:
            return self._decode(packet)
        if not packet.size:  # it would empty the decoder, which then takes no picture that is looked at later
            return []
        passed = self._passed(packet)
        return self._decode(packet) if passed is None else [passed]

    def _passed(self, packet: "Packet[VideoStream]") -> Picture | None:
        """The packet's JPEG, not decoded; None: it can't be passed on as it is.

        A JPEG of another size than the stream's is one of two fields, or the first after a change of size; decoding it
        tells the stream of the change.
        """
        payload = bytes(packet)
        size, context = passable(payload), self._stream.codec_context
        if size is None or size != (context.width, context.height) or not unchanged(self._camera, *size):
            return None
        if not self._begun:
            with suppress(av.FFmpegError):  # a decoder takes the first picture for a field if it is lower
                self._stream.decode(packet)
        self._begun = True
        self._damage.fed(keyframe=True)
        corrupt = self._damage.delivered(keyframe=True, corrupt=packet.is_corrupt)
        pts_s = None if packet.pts is None else float(packet.pts * packet.time_base)
        return Picture(pts_s, lambda: self._pixels(packet), bool(corrupt), Encoded(payload, *size))

    def _pixels(self, packet: "Packet[VideoStream]") -> Bgr:
        """Decode a packet that was passed on. Each is a picture by itself, so the order does not matter."""
        try:
            frames = self._stream.decode(packet)
        except av.FFmpegError:
            raise DamagedPictureError from None
        if len(frames) != 1 or frames[0].is_corrupt:
            raise DamagedPictureError
        return self._bgr(frames[0])

    def _bgr(self, frame: VideoFrame) -> Bgr:
        converted = self._reformatter.reformat(frame, format="bgr24", threads=1)
        return np.asarray(converted.to_ndarray(), dtype=np.uint8)  # uint8 already: no copy

    def _decode(self, packet: "Packet[VideoStream]") -> list[Picture]:
        if packet.size:  # the last one has none: it empties the decoder
            self._damage.fed(keyframe=packet.is_keyframe)
        try:
            frames = self._stream.decode(packet)
        except av.InvalidDataError:
            self._damage.refused()
            frames = []
        except av.FFmpegError as error:
            raise SourceError(explain(error, self._address, reading=True)) from None
        pictures = [picture for frame in frames if (picture := self._picture(frame)) is not None]
        if pictures and not self._begun:
            self._begin()
        return pictures + [Picture(None, None, corrupt=True)] * self._damage.missing()

    def _picture(self, frame: VideoFrame) -> Picture | None:
        partial = frame.pict_type != PictureType.I
        corrupt = self._damage.delivered(keyframe=bool(frame.key_frame), corrupt=frame.is_corrupt, partial=partial)
        return None if corrupt is None else Picture(frame.time, lambda: self._bgr(frame), corrupt)


def _open(address: Address, camera: CameraSettings, clock: Clock) -> InputContainer:
    began = clock.monotonic()
    live = address.kind == "rtsp"
    limits = (camera.open_timeout_s, camera.read_timeout_s) if live else None
    options = _options(camera) | tls_options(address, camera) if live else {}
    try:
        return av.open(address.target, options=options, timeout=limits)
    except av.HTTPUnauthorizedError:
        raise SourceError(advised(f"{address.shown}: {refused_login(address, camera)}", address)) from None
    except av.FFmpegError as error:
        # FFmpeg reports some timeouts as invalid data: the clock tells them apart.
        timed_out = live and clock.monotonic() - began >= camera.open_timeout_s
        if timed_out:
            raise SourceError(f"{address.shown}: no answer within {camera.open_timeout_s:g} s") from None
        raise SourceError(explain(error, address, reading=False)) from None


def _options(camera: CameraSettings) -> dict[str, str]:
    """Analyse the stream for half a second instead of five. Not `nobuffer`: it drops what the analysis has read, and
    with it everything up to the next keyframe."""
    return {
        "rtsp_transport": camera.transport,
        "allowed_media_types": "video",
        "analyzeduration": "500000",
        "probesize": "1000000",
    }


def _video(container: InputContainer, address: Address) -> VideoStream:
    if not container.streams.video:
        raise SourceError(f"{address.shown}: there is no video in it")
    stream = container.streams.video[0]
    context = stream.codec_context
    threads = _threads(context.width, context.height)
    context.thread_type = "FRAME" if threads > 1 else "NONE"
    context.thread_count = threads
    context.flags |= Flags.output_corrupt  # else damaged pictures vanish uncounted
    return stream


def _passing(stream: VideoStream, camera: CameraSettings) -> bool:
    """Whether its packets are JPEGs to be passed on. Their decoder then gets one thread, so that it holds none back."""
    context = stream.codec_context
    if context.name != "mjpeg" or not unchanged(camera, context.width, context.height):
        return False
    context.thread_type, context.thread_count = "NONE", 1
    return True


def _threads(width: int, height: int) -> int:
    """The cameras side by side are the parallelism: one thread each, as long as one is enough."""
    wanted = -(-width * height // PIXELS_A_THREAD)
    return max(1, min(wanted, 4, cores()))


def _info(stream: VideoStream, address: Address) -> SourceInfo:
    rate = stream.average_rate or stream.guessed_rate
    context = stream.codec_context
    fps = float(rate) if rate else None
    return SourceInfo(context.name, context.width, context.height, fps, "camera" if address.kind == "rtsp" else "file")
