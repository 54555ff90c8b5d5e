"""The frames of a clip -> its MP4. Blocks: for milliseconds where the packets are the camera's own."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from PIL import Image

from andon.errors import PoisonError
from andon.messages import Frame
from sinks.channels.annotation import opened
from sinks.channels.mp4 import Sample, Track, mp4
from sinks.channels.recoding import as_h264, even

PICTURES = {"image/jpeg": "mjpeg", "image/png": "png"}
"""FFmpeg's codecs of pictures that stand by themselves, by content type."""


def clip(frames: Sequence[Frame], jpeg_cameras: Literal["mjpeg", "h264"]) -> bytes:
    """The MP4 of these frames of one camera. `jpeg_cameras`: what becomes of JPEGs and PNGs.

    Raises PoisonError for frames of which no MP4 can be made.
    """
    first = frames[0]
    if first.content_type not in PICTURES:
        raise PoisonError("undecodable", f"no clip can be made of {first.content_type[:40]!r}")
    if jpeg_cameras == "h264":
        return _recoded(frames)
    alike = [frame for frame in frames if frame.content_type == first.content_type]
    samples = [Sample(frame.payload, frame.captured_at, keyframe=True) for frame in alike]
    return mp4(Track(PICTURES[first.content_type], first.width, first.height), samples)


def _recoded(frames: Sequence[Frame]) -> bytes:
    """As H.264. Frames that can't be decoded are left out."""
    moments: list[datetime] = []
    size = even((frames[0].width, frames[0].height))
    units = as_h264(_pictures(frames, moments), size)
    samples = [Sample(data, at, keyframe) for (data, keyframe), at in zip(units, moments, strict=False)]
    if not samples:
        raise PoisonError("undecodable", "none of the clip's frames can be decoded")
    return mp4(Track("h264", *size), samples)


def _pictures(frames: Sequence[Frame], moments: list[datetime]) -> Iterator[Image.Image]:
    """The pictures, one by one; their times are appended to `moments`."""
    for frame in frames:
        try:
            picture = opened(frame.payload)
        except PoisonError:
            continue
        moments.append(frame.captured_at)
        yield picture
