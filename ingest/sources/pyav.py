"""RTSP cameras and video files, through PyAV: with the stream's timestamps, time limits, and corrupt pictures marked.

H.264 and H.265 are passed on as they come where the camera's `encoding` says so: then only the first keyframe is
decoded, to see what the stream is. Decoded pixels are upright, progressive and of 8 bits, whatever the stream's are;
`info.traits` says what these were.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import replace

import av
import numpy as np
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from andon.clock import Clock
from andon.pictures.jpeg_header import passable
from andon.pictures.picture import Bgr
from andon.settings import CameraSettings
from ingest.encode import unchanged
from ingest.sources.damage import Damage
from ingest.sources.encoded import on_demand
from ingest.sources.encoding import obstacle
from ingest.sources.ffmpeg_errors import explain
from ingest.sources.fields import Deinterlacer, PictureSlot
from ingest.sources.opening import declared, decode_alone, open_container, passes_jpegs, video_stream
from ingest.sources.relay import Relay
from ingest.sources.rtp_losses import RtpLosses
from ingest.sources.source import (
    EncodedPicture,
    NoPictureYetError,
    Picture,
    SilentError,
    SourceError,
    SourceInfo,
    next_picture,
)
from ingest.sources.traits import KEYFRAME_S, SHORTER, noteworthy, orientation_of, traits
from ingest.sources.upright import UPRIGHT, Orientation, upright
from ingest.sources.urls import Address

WAIT_S = 1.0
"""A read that has no picture for this long returns and says so."""


class PyavSource:
    """One open stream. Its pictures come in the order in which they are shown."""

    def __init__(self, address: Address, camera: CameraSettings, clock: Clock) -> None:
        """Raises SourceError: one line with the reason why it can't be opened."""
        self._address = address
        self._camera = camera
        self._clock = clock
        self._silence_s = camera.read_timeout_s if address.kind == "rtsp" else None
        self._opened_s = clock.monotonic()
        self._losses = RtpLosses() if camera.encoding != "jpeg" and address.kind == "rtsp" else None
        self._container = open_container(address, camera, clock, self._losses)
        try:
            self._stream = video_stream(self._container, address)
            self._info = declared(self._stream, address)
            self._passing = passes_jpegs(self._stream, camera)
            self._relay = self._relayed()
            self._packets: Iterator[Packet[VideoStream]] = self._container.demux(self._stream)
        except BaseException:
            self._container.close()
            raise
        self._ready: deque[Picture] = deque()
        self._reformatter = VideoReformatter()
        """Kept for all pictures: building its tables takes a third of a conversion's time."""
        self._damage = Damage()
        self._fields = Deinterlacer(camera.deinterlace)
        self._begun = False
        self._silent = False
        self._fed_bytes = 0
        """Of packets whose pictures have not come out."""

    @property
    def info(self) -> SourceInfo:
        return self._info

    def read(self) -> Picture | None:
        return next_picture(self)

    def try_read(self) -> Picture | None:
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
        if self._stream.codec_context.thread_count > 1:
            # its threads must not log any more when it is freed, which holds Python's lock
            with suppress(av.FFmpegError):
                self._stream.decode(None)
        self._container.close()

    def _packet(self, began: float) -> "Packet[VideoStream] | None":
        if self._silent:
            raise self._silence()
        try:
            with self._losses.counting() if self._losses is not None else nullcontext():
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

    def _begin(self, frame: VideoFrame | None) -> None:
        """The first picture has come out. `frame`: decoded; None: it can't be decoded by itself."""
        self._begun = True
        waited_s = self._clock.monotonic() - self._opened_s
        if self._silence_s is not None and waited_s > KEYFRAME_S:
            self._note(f"its first keyframe came {waited_s:.0f} s after the connection: {SHORTER}")
        if frame is not None:
            self._look(frame)

    def _look(self, frame: VideoFrame) -> None:
        """A picture says what the stream's description left open, and each keyframe may say something else."""
        found = traits(frame, self._stream)
        if found == self._info.traits:
            return
        size = frame.width, frame.height
        width, height = reversed(size) if found.orientation is not None and found.orientation.swaps else size
        profile = self._stream.codec_context.profile
        self._info = replace(self._info, width=width, height=height, traits=found, profile=profile)
        self._note(*noteworthy(found, self._camera.deinterlace))

    def _note(self, *notes: str) -> None:
        new = [note for note in notes if note not in self._info.notes]
        self._info = replace(self._info, notes=(*self._info.notes, *new))

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

    def _relayed(self) -> Relay | None:
        """What passes the stream on; None: it is decoded. Raises SourceError: the settings forbid that."""
        context = self._stream.codec_context
        if context.name == "mjpeg" or self._encoded_for(obstacle(context.name, self._camera, None)):
            return None
        context.thread_type, context.thread_count = "NONE", 1
        return Relay(self._stream, self._losses)

    def _encoded_for(self, reason: str) -> bool:
        """Whether there is a reason to encode the pictures. Raises SourceError: the settings forbid it."""
        if reason and self._camera.encoding == "passthrough":
            raise SourceError(f"{self._address.shown}: {reason}, so it can't be passed on: set encoding to auto")
        if reason and self._camera.encoding == "auto":
            self._note(f"its pictures travel as JPEG: {reason}")
        return bool(reason)

    def _pass_on(self, relay: Relay, packet: "Packet[VideoStream]") -> list[Picture]:
        """The packet's pictures, not decoded. The stream is decoded from here on if it turns out to need it."""
        ready = []
        for passed in relay.read(packet, begun=self._begun):
            if relay.changed:
                frame = decode_alone(self._stream, packet)
                if self._begun and frame is not None:
                    self._look(frame)
                elif not self._begun:
                    self._begin(frame)
                if self._encoded_for(obstacle(self._info.codec, self._camera, self._info.traits, passed.unit)):
                    self._relay, self._damage = None, Damage()
                    return self._decode(packet)
            ready.append(relay.picture(packet, passed, self._info))
        if relay.missed:
            self._note("RTP packets are lost on the way: whatever needs them is not inspected, up to the next keyframe")
        return ready

    def _pictures(self, packet: "Packet[VideoStream]") -> list[Picture]:
        if self._relay is not None:
            return self._pass_on(self._relay, packet) if packet.size else []
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
        if not self._begun and not self._can_pass(packet):
            self._passing = False
            return None
        self._damage.fed(keyframe=True)
        corrupt = self._damage.delivered(keyframe=True, corrupt=packet.is_corrupt)
        pts_s = None if packet.pts is None else float(packet.pts * packet.time_base)
        return Picture(
            pts_s,
            on_demand(payload),
            bool(corrupt),
            jpeg=EncodedPicture(payload, *size),
            keyframe=True,
            encoded_bytes=len(payload),
        )

    def _can_pass(self, packet: "Packet[VideoStream]") -> bool:
        """Looks at the first picture. A decoder takes it for a field if it is lower than the stream's."""
        frames: list[VideoFrame] = []
        with suppress(av.FFmpegError):
            frames = self._stream.decode(packet)
        for frame in frames:
            if orientation_of(frame) not in (UPRIGHT, None) or (
                frame.interlaced_frame and self._camera.deinterlace == "auto"
            ):
                return False
            self._begin(frame)
        self._begun = True
        return True

    def _bgr(self, frame: VideoFrame, turn: Orientation) -> Bgr:
        converted = self._reformatter.reformat(frame, format="bgr24", threads=1)
        bgr = np.asarray(converted.to_ndarray(), dtype=np.uint8)  # uint8 already: no copy
        return upright(bgr, turn)

    def _decode(self, packet: "Packet[VideoStream]") -> list[Picture]:
        self._fed_bytes += packet.size
        if packet.size:  # the last one has none: it empties the decoder
            self._damage.fed(keyframe=packet.is_keyframe)
        try:
            frames = self._stream.decode(packet)
        except av.InvalidDataError:
            self._damage.refused()
            frames = []
        except av.FFmpegError as error:
            raise SourceError(explain(error, self._address, reading=True)) from None
        decoded = [item for frame in frames if (item := self._slot_of(frame)) is not None]
        decoded += [PictureSlot(None, corrupt=True)] * self._damage.missing()
        out = [ready for item in decoded for ready in self._fields.take(item)]
        out += [] if packet.size else self._fields.end()
        return [self._picture(item) for item in out]

    def _slot_of(self, frame: VideoFrame) -> PictureSlot | None:
        """None: leave it out."""
        partial = frame.pict_type != PictureType.I
        corrupt = self._damage.delivered(keyframe=bool(frame.key_frame), corrupt=frame.is_corrupt, partial=partial)
        if corrupt is None:
            return None
        if not self._begun:
            self._begin(frame)
        elif frame.key_frame:
            self._look(frame)
        return PictureSlot(frame, corrupt, orientation_of(frame))

    def _picture(self, item: PictureSlot) -> Picture:
        frame = item.frame
        if frame is None:
            return Picture(None, None, corrupt=True)
        turn = item.orientation or UPRIGHT
        size, self._fed_bytes = self._fed_bytes, 0
        return Picture(
            frame.time,
            lambda: self._bgr(frame, turn),
            item.corrupt,
            keyframe=bool(frame.key_frame),
            encoded_bytes=size,
            b_frame=frame.pict_type == PictureType.B,
        )
