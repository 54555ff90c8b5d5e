"""Opens an RTSP camera or a video file with FFmpeg, and sets its decoder up.

FFmpeg's error texts hold the whole url with its password: none is passed on; see `ingest.sources.ffmpeg_errors`.
"""

import errno
from contextlib import nullcontext, suppress

import av
from av.codec.context import Flags
from av.container import InputContainer
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from andon.clock import Clock
from andon.process.machine import cores
from andon.settings import CameraSettings
from ingest.encode import unchanged
from ingest.sources.ffmpeg_errors import advised, explain
from ingest.sources.rtp_losses import QUEUE, RtpLosses
from ingest.sources.rtsp_login import refused_login
from ingest.sources.source import SourceError, SourceInfo
from ingest.sources.tls import refused_tls, tls_options
from ingest.sources.urls import Address

PIXELS_A_THREAD = 1920 * 1088
"""One core decodes 1080p at about 100 frames a second. Larger pictures need more threads; each adds one frame of
latency."""


def open_container(
    address: Address, camera: CameraSettings, clock: Clock, losses: RtpLosses | None = None
) -> InputContainer:
    """Blocks for at most about the open timeout. `losses` hears what is lost meanwhile.

    Raises SourceError: one line with the reason.
    """
    began = clock.monotonic()
    live = address.kind == "rtsp"
    limits = (camera.open_timeout_s, camera.read_timeout_s) if live else None
    options = _options(camera) | tls_options(address, camera) if live else {}
    try:
        with losses.counting() if losses is not None else nullcontext():
            return av.open(address.target, options=options, timeout=limits)
    except av.HTTPUnauthorizedError:
        raise SourceError(advised(f"{address.shown}: {refused_login(address, camera)}", address)) from None
    except av.FFmpegError as error:
        # FFmpeg reports some timeouts as invalid data: the clock tells them apart.
        timed_out = live and clock.monotonic() - began >= camera.open_timeout_s
        if timed_out:
            line = f"{address.shown}: no answer within {camera.open_timeout_s:g} s"
            raise SourceError(advised(line, address)) from None
        broke_off = isinstance(error, av.EOFError) or error.errno == errno.EIO
        if broke_off and address.target.lower().startswith("rtsps:"):
            raise SourceError(advised(f"{address.shown}: {refused_tls(address, camera)}", address)) from None
        raise SourceError(explain(error, address, reading=False)) from None


def _options(camera: CameraSettings) -> dict[str, str]:
    """Analyse the stream for half a second instead of five. Not `nobuffer`: it drops what the analysis has read, and
    with it everything up to the next keyframe."""
    options = {
        "rtsp_transport": camera.transport,
        "allowed_media_types": "video",
        "analyzeduration": "500000",
        "probesize": "1000000",
    }
    if camera.encoding != "jpeg" and camera.transport in QUEUE:
        options["reorder_queue_size"] = QUEUE[camera.transport]
    return options


def video_stream(container: InputContainer, address: Address) -> VideoStream:
    """The first one. Raises SourceError: there is none, or none that can be decoded."""
    if not container.streams.video:
        raise SourceError(f"{address.shown}: there is no video in it")
    stream = container.streams.video[0]
    context: VideoCodecContext | None = stream.codec_context  # PyAV's stub leaves None out
    if context is None:
        raise SourceError(f"{address.shown}: its video has a codec that FFmpeg can't decode: set it to H.264 or H.265")
    threads = threads_for(context.width, context.height)
    context.thread_type = "FRAME" if threads > 1 else "NONE"
    context.thread_count = threads
    context.flags |= Flags.output_corrupt  # else damaged pictures vanish uncounted
    return stream


def passes_jpegs(stream: VideoStream, camera: CameraSettings) -> bool:
    """Whether its packets are JPEGs to be passed on. Their decoder then gets one thread, so that it holds none back."""
    context = stream.codec_context
    if context.name != "mjpeg" or not unchanged(camera, context.width, context.height) or camera.deinterlace == "on":
        return False
    context.thread_type, context.thread_count = "NONE", 1
    return True


def decode_alone(stream: VideoStream, packet: "Packet[VideoStream]") -> VideoFrame | None:
    """The picture of one packet, decoded without any other. None: it has none. The decoder is as before."""
    frames: list[VideoFrame] = []
    with suppress(av.FFmpegError):
        frames += stream.decode(packet)
    with suppress(av.FFmpegError):
        frames += stream.decode(None)
    stream.codec_context.flush_buffers()
    return frames[0] if frames else None


def threads_for(width: int, height: int) -> int:
    """The cameras side by side are the parallelism: one thread each, as long as one is enough."""
    wanted = -(-width * height // PIXELS_A_THREAD)
    return max(1, min(wanted, 4, cores()))


def declared(stream: VideoStream, address: Address) -> SourceInfo:
    """What the stream says of itself before its first picture."""
    rate = stream.average_rate or stream.guessed_rate
    context = stream.codec_context
    fps = float(rate) if rate else None
    return SourceInfo(context.name, context.width, context.height, fps, "camera" if address.kind == "rtsp" else "file")
