"""Decodes one camera's H.264 or H.265 access units, one after the other, without a container (PyAV).

A decoder conceals what it lacks: after a missing unit it makes pictures up without a word. So nobody may feed it units
whose references are not proven (`proof`); what it reports by itself is not enough.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import av
from av.codec.context import CodecContext, ThreadType
from av.codec.hwaccel import HWAccel
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from andon.errors import PoisonError

CODECS = {"video/h264": "h264", "video/h265": "hevc"}
"""FFmpeg's decoders by content type."""
LOW_DELAY = 1 << 19
"""AV_CODEC_FLAG_LOW_DELAY: each picture comes out as soon as none before it can follow."""


@dataclass(frozen=True, slots=True)
class DecodedUnit:
    """The picture of one access unit."""

    number: int
    """As it was given to `feed`."""
    frame: VideoFrame
    damaged: bool
    """The decoder has made up a part of it."""


class UnitDecoder(Protocol):
    """What decodes access units: in software, or on a GPU."""

    def feed(self, unit: bytes, number: int) -> list[DecodedUnit]: ...

    def flush(self) -> list[DecodedUnit]: ...


class GroupDecoder:
    """From one random access point to the next, and on. One thread at a time; each call blocks for milliseconds."""

    def __init__(self, content_type: str, hardware: HWAccel | None = None) -> None:
        """`hardware`: pictures stay on that device. Raises PoisonError for an encoding that has no decoder here."""
        if content_type not in CODECS:
            raise PoisonError("undecodable", f"content type {content_type[:60]!r} has no video decoder here")
        context = CodecContext.create(CODECS[content_type], "r", hwaccel=hardware)
        assert isinstance(context, VideoCodecContext)
        context.thread_type, context.thread_count = ThreadType.NONE, 1
        context.flags |= LOW_DELAY
        if (
            content_type == "video/h265"
        ):  # H.264's marks such pictures, and refuses streams that began at a recovery point
            context.options = {"err_detect": "explode"}
        self._context = context

    def feed(self, unit: bytes, number: int) -> list[DecodedUnit]:
        """Decode one access unit (Annex B). Returns the pictures that come out, in the order in which they are shown.

        `number`: names the unit's picture, and grows. Raises PoisonError: the decoder refuses the unit.
        """
        packet: Packet[Any] = Packet(unit)
        packet.pts = packet.dts = number
        return self._decoded(packet)

    def flush(self) -> list[DecodedUnit]:
        """What the decoder holds back for its order. It begins anew after this, with a random access point."""
        try:
            return self._decoded(None)
        finally:
            self._context.flush_buffers()

    def _decoded(self, packet: "Packet[Any] | None") -> list[DecodedUnit]:
        try:
            frames = self._context.decode(packet)
        except av.FFmpegError as error:
            raise PoisonError("undecodable", f"the video decoder refuses it: {str(error.strerror)[:200]}") from None
        return [DecodedUnit(frame.pts or 0, frame, frame.is_corrupt) for frame in frames]
