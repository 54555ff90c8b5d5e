"""Pictures -> H.264, for clips of cameras that send JPEG: no browser plays JPEGs in an MP4."""

from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
import numpy as np
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from PIL import Image

from andon.errors import PoisonError

OPTIONS = {"preset": "veryfast", "crf": "23", "tune": "zerolatency", "g": "50"}
"""zerolatency: each picture comes out at once, in order, and no thread works besides ours."""
RATE = Fraction(25)
"""Pictures a second, as the encoder believes; the file has the true times."""


def as_h264(pictures: Iterable[Image.Image], size: tuple[int, int]) -> Iterator[tuple[bytes, bool]]:
    """Each picture as an access unit in Annex B, and whether it is a keyframe. `size`: even; all are scaled to it.

    Raises PoisonError for a size that the encoder refuses.
    """
    encoder = _encoder(*size)
    try:
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24").reformat(*size, "yuv420p")
            frame.pts, frame.time_base = number, encoder.time_base
            for packet in encoder.encode(frame):
                yield bytes(packet), packet.is_keyframe
    except FFmpegError as error:
        raise PoisonError("undecodable", f"no H.264 can be made of it: {type(error).__name__}") from None


def even(size: tuple[int, int]) -> tuple[int, int]:
    """The size without a last odd column or row: colours have half the resolution."""
    width, height = size
    return max(2, width - width % 2), max(2, height - height % 2)


def _encoder(width: int, height: int) -> VideoCodecContext:
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate = 1 / RATE, RATE
    encoder.thread_count = 1
    encoder.options = OPTIONS
    return encoder
