"""The frames of a clip -> its MP4. Blocks: for milliseconds where the packets are the camera's own."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from PIL import Image

from andon.errors import PoisonError
from andon.messages import Frame
from andon.video.access_unit import AccessUnit
from andon.video.decoder import CODECS
from andon.video.h264 import H264
from andon.video.h265 import H265
from andon.video.units import MalformedError
from sinks.channels.annotation import opened
from sinks.channels.log import units_of
from sinks.channels.mp4 import Mp4Sample, Mp4Track, mp4
from sinks.channels.recoding import as_h264, even

PICTURES = {"image/jpeg": "mjpeg", "image/png": "png"}
"""FFmpeg's codecs of pictures that stand by themselves, by content type."""


def clip(frames: Sequence[Frame], frame_id: str, jpeg_cameras: Literal["mjpeg", "h264"]) -> bytes:
    """The MP4 of these frames of one camera, around `frame_id`. `jpeg_cameras`: what becomes of JPEGs and PNGs.

    Raises PoisonError for frames of which no MP4 can be made.
    """
    kind = next(frame.content_type for frame in frames if frame.frame_id == frame_id)
    alike = [frame for frame in frames if frame.content_type == kind]
    if kind in CODECS:
        return _video(alike, frame_id, kind)
    if kind not in PICTURES:
        raise PoisonError("undecodable", f"no clip can be made of {kind[:40]!r}")
    if jpeg_cameras == "h264":
        return _recoded(alike)
    samples = [Mp4Sample(frame.payload, frame.captured_at, keyframe=True) for frame in alike]
    return mp4(Mp4Track(PICTURES[kind], alike[0].width, alike[0].height), samples)


def _video(frames: Sequence[Frame], frame_id: str, kind: str) -> bytes:
    """The packets as they are. Groups with other parameter sets than the frame's own are left out: a file has one."""
    groups = _groups(frames)
    heads = [_head(group[0], kind) for group in groups]
    own = next(number for number, group in enumerate(groups) if any(frame.frame_id == frame_id for frame in group))
    first = last = own
    while first > 0 and heads[first - 1].parameter_sets == heads[own].parameter_sets:
        first -= 1
    while last + 1 < len(groups) and heads[last + 1].parameter_sets == heads[own].parameter_sets:
        last += 1
    layout = heads[own].layout
    if layout is None:
        raise PoisonError("undecodable", "the clip's keyframe does not say how large its pictures are")
    samples = list(_samples([frame for group in groups[first : last + 1] for frame in group]))
    return mp4(Mp4Track(CODECS[kind], layout.width, layout.height), samples)


def _groups(frames: Sequence[Frame]) -> list[list[Frame]]:
    """Each from a keyframe to the next. The first frame is one."""
    groups: list[list[Frame]] = [[]]
    for frame in frames:
        if frame.keyframe and groups[-1]:
            groups.append([])
        groups[-1].append(frame)
    return groups


def _head(keyframe: Frame, kind: str) -> AccessUnit:
    parser = H264() if kind == "video/h264" else H265()
    try:
        return parser.read(units_of(keyframe)[0])
    except MalformedError as error:
        raise PoisonError("undecodable", f"a keyframe of the clip can't be read: {error}") from None


def _samples(frames: Sequence[Frame]) -> Iterator[Mp4Sample]:
    """Units that are no frames of their own are shown evenly between the frame before and theirs."""
    before = frames[0].captured_at
    if len(frames) > 1:
        before -= abs(frames[1].captured_at - before)
    for frame in frames:
        units = units_of(frame)
        step = (frame.captured_at - before) / len(units)
        for number, unit in enumerate(units, 1):
            at = frame.captured_at - step * (len(units) - number)
            yield Mp4Sample(unit, at, keyframe=frame.keyframe and number == 1)
        before = frame.captured_at


def _recoded(frames: Sequence[Frame]) -> bytes:
    """As H.264. Frames that can't be decoded are left out."""
    moments: list[datetime] = []
    size = even((frames[0].width, frames[0].height))
    units = as_h264(_pictures(frames, moments), size)
    samples = [Mp4Sample(data, at, keyframe) for (data, keyframe), at in zip(units, moments, strict=False)]
    if not samples:
        raise PoisonError("undecodable", "none of the clip's frames can be decoded")
    return mp4(Mp4Track("h264", *size), samples)


def _pictures(frames: Sequence[Frame], moments: list[datetime]) -> Iterator[Image.Image]:
    """The pictures, one by one; their times are appended to `moments`."""
    for frame in frames:
        try:
            picture = opened(frame.payload)
        except PoisonError:
            continue
        moments.append(frame.captured_at)
        yield picture
