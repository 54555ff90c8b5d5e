"""What a stream says of its pixels and changes what they mean: fields, orientation, shape, levels, colours."""

from dataclasses import dataclass
from fractions import Fraction

from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from andon.settings.cameras import Deinterlace
from ingest.sources.upright import UPRIGHT, Orientation, orientation

KEYFRAME_S = 2.0
"""A keyframe comes at least this often in a stream for inspection: nothing can be seen before the first, and whatever
is lost on the way spoils all pictures up to the next."""
SHORTER = "set the camera to a keyframe (I-frame) every 1 to 2 s"
PROGRESSIVE, NOT_STATED = "progressive", "not stated"
_FIELD_ORDERS = {2: "top field first", 3: "bottom field first", 4: "bottom field first", 5: "top field first"}
"""By FFmpeg's AVFieldOrder: the field that is shown first."""
_RANGES = {1: "limited", 2: "full"}
"""By FFmpeg's AVColorRange. Limited: black is 16 and white 235."""
_MATRICES = {0: "rgb", 1: "bt709", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m", 8: "ycgco", 9: "bt2020"}
"""By FFmpeg's AVColorSpace."""
_TRANSFERS = {1: "bt709", 4: "gamma 2.2", 5: "gamma 2.8", 6: "bt601", 8: "linear", 13: "srgb", 16: "pq", 18: "hlg"}
"""By FFmpeg's AVColorTransferCharacteristic."""
HDR = ("pq", "hlg")


@dataclass(frozen=True, slots=True)
class Traits:
    """Of a picture and its stream."""

    pixel_format: str
    """FFmpeg's name."""
    bits: int
    """Of one sample. Pictures are handed on with 8."""
    fields: str
    """`progressive`, or which field of an interlaced picture is shown first."""
    orientation: Orientation | None
    """How the stream asks to turn its pictures. None: by another angle than a right one."""
    sample_aspect: Fraction
    """Width of a pixel by its height. Not stated: 1."""
    levels: str
    matrix: str
    transfer: str
    """From levels to light."""


def traits(frame: VideoFrame, stream: VideoStream) -> Traits:
    """What this picture of the stream says."""
    order = _FIELD_ORDERS.get(stream.codec_context.field_order, f"field order {NOT_STATED}")
    return Traits(
        pixel_format=frame.format.name,
        bits=frame.format.components[0].bits,
        fields=order if frame.interlaced_frame else PROGRESSIVE,
        orientation=orientation_of(frame),
        sample_aspect=stream.sample_aspect_ratio or Fraction(1),
        levels=_RANGES.get(int(frame.color_range), NOT_STATED),
        matrix=_MATRICES.get(int(frame.colorspace), NOT_STATED),
        transfer=_TRANSFERS.get(int(frame.color_trc), NOT_STATED),
    )


def orientation_of(frame: VideoFrame) -> Orientation | None:
    """How the picture asks to be turned; see `orientation`."""
    sent = frame.side_data
    if "DISPLAYMATRIX" not in sent:
        return UPRIGHT
    return orientation(bytes(sent["DISPLAYMATRIX"]))  # type: ignore[typeddict-item]  # PyAV's stub knows one key only


def noteworthy(found: Traits, deinterlace: Deinterlace) -> list[str]:
    """What a person may not expect, and what becomes of it."""
    notes = []
    if found.fields != PROGRESSIVE and deinterlace == "off":
        notes.append(f"interlaced, {found.fields}, and left so (deinterlace: off): what moves has a comb for an edge")
    elif found.fields != PROGRESSIVE:
        notes.append(f"interlaced, {found.fields}: deinterlaced, which delays it by one picture")
    elif deinterlace == "on":
        notes.append("the stream says progressive, and is deinterlaced all the same (deinterlace: on)")
    if found.orientation is None:
        notes.append("the stream asks to turn its pictures by no right angle: they are left as they lie")
    elif found.orientation != UPRIGHT:
        notes.append(f"its pictures are {found.orientation}, as the stream asks")
    if found.sample_aspect != 1:
        ratio = f"{found.sample_aspect.numerator}:{found.sample_aspect.denominator}"
        notes.append(f"its pixels are not square ({ratio}) and left so: train the model on such pictures")
    if found.transfer in HDR:
        notes.append(
            f"its levels are those of HDR video ({found.transfer}) and left so, which looks pale: set it to SDR"
        )
    return notes
