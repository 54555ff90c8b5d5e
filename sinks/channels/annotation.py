"""Draws a defect onto the frame that shows it best. Knows nothing of Kafka or storage."""

from collections.abc import Sequence
from io import BytesIO

from PIL import Image, ImageDraw, ImageOps, UnidentifiedImageError

from andon.errors import PoisonError
from andon.messages import Box, Defect, Detection, Keypoint, Point, Severity
from andon.pictures.jpeg_header import with_end
from sinks.channels.lettering import Style, length_px, write

MAX_PIXELS = 40_000_000
_COLOURS: dict[Severity, str] = {"minor": "#ffd23f", "major": "#ff8c1a", "critical": "#ff2d2d"}
_UNREADABLE = (
    UnidentifiedImageError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,  # where warnings are errors
    OSError,
    SyntaxError,
    ValueError,
)
SURE = 0.5
"""A keypoint of lower confidence is hidden or missing. ultralytics draws none below this, either."""
MAX_NAME = 24
_PLATE, _INK = "#14171a", "#f5f5f5"


def annotated(picture: bytes | Image.Image, defect: Defect, jpeg_quality: int, shape: Detection | None = None) -> bytes:
    """The JPEG of `picture` with the defect marked on it, and a plate below that says label, place and time.

    The mark is the outline or the rotated box of `shape` if it has one, else the defect's box, with the keypoints if
    there are any. It never covers the defect. `picture` is an encoded JPEG or PNG, or an RGB image that is drawn on;
    `defect.box` and `shape` are in its pixels. Raises PoisonError for a picture that can't be decoded or has more than
    40 megapixels.
    """
    image = opened(picture) if isinstance(picture, bytes) else picture
    size_px = max(12, min(image.size) // 24)
    lines = _lines(defect)
    plate_px = size_px * (len(lines) + 1) + size_px // 2
    _mark(ImageDraw.Draw(image), defect, shape, image.size)
    canvas = Image.new("RGB", (image.width, image.height + plate_px), _PLATE)
    canvas.paste(image)
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(lines):
        colour = _COLOURS[defect.severity] if number == 0 else _INK
        at = (size_px // 2, image.height + size_px // 2 + number * (size_px + size_px // 4))
        write(draw, at, line, Style(_fitting_px(line, size_px, image.width - size_px), colour))
    out = BytesIO()
    canvas.save(out, "JPEG", quality=jpeg_quality, subsampling=0)  # halved chroma would smear thin lines
    return out.getvalue()


def opened(picture: bytes) -> Image.Image:
    """RGB, upright. `picture` is an encoded JPEG or PNG. Raises PoisonError as `annotated` does."""
    try:
        with Image.open(BytesIO(with_end(picture)), formats=["JPEG", "PNG"]) as image:
            if image.width * image.height > MAX_PIXELS:
                raise PoisonError("too_large", f"the frame has {image.width} x {image.height} pixels")
            return ImageOps.exif_transpose(image).convert("RGB")
    except _UNREADABLE as error:
        raise PoisonError("undecodable", f"the frame can't be drawn on: {type(error).__name__}") from None


def _lines(defect: Defect) -> tuple[str, str]:
    what = f"{defect.severity.upper()}  {defect.label}  {defect.confidence:.0%}"
    moment = defect.at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    part = f"  part {defect.part_id}" if defect.part_id else ""
    return what, f"{defect.camera_id}  {moment} UTC{part}"


def _mark(draw: ImageDraw.ImageDraw, defect: Defect, shape: Detection | None, size: tuple[int, int]) -> None:
    colour = _COLOURS[defect.severity]
    around = shape and (shape.polygon or shape.corners)
    if around and all(_near(point, size) for point in around):
        _line_round(draw, around, size, colour)
    else:
        _outline(draw, defect.box, size, colour)
    for keypoint in (shape and shape.keypoints) or ():
        _dot(draw, keypoint, size, colour)


def _near(point: Point, size: tuple[int, int]) -> bool:
    """Close enough to the picture: a line to a point far away would take for ever to draw."""
    (x, y), (width, height) = point, size
    return -width <= x <= 2 * width and -height <= y <= 2 * height


def _line_round(draw: ImageDraw.ImageDraw, points: Sequence[Point], size: tuple[int, int], colour: str) -> None:
    """As `_outline`, but through these points and back to the first; cut off where the picture ends."""
    width_px = max(2, min(size) // 200)
    closed = [*points, *points[:2]]  # over the first edge again, so that its corner is round, too
    for ink, line_px in ((_PLATE, width_px + 3), (colour, width_px + 1)):
        draw.line(closed, fill=ink, width=line_px, joint="curve")


def _dot(draw: ImageDraw.ImageDraw, keypoint: Keypoint, size: tuple[int, int], colour: str) -> None:
    """Filled where the model is sure of it, else a ring; its name beside it where it has one."""
    x, y, radius_px = keypoint.x, keypoint.y, max(3, min(size) // 120)
    if not (0 <= x <= size[0] and 0 <= y <= size[1]):
        return
    sure = keypoint.confidence is None or keypoint.confidence >= SURE
    around = (x - radius_px, y - radius_px, x + radius_px, y + radius_px)
    draw.ellipse(around, outline=_PLATE, width=radius_px)
    inner = (around[0] + 1, around[1] + 1, around[2] - 1, around[3] - 1)
    draw.ellipse(inner, fill=colour if sure else None, outline=colour, width=max(1, radius_px // 2))
    if keypoint.name and sure:
        text_px = max(10, min(size) // 40)
        name = keypoint.name[:MAX_NAME]
        aside_px, width_px = 1.5 * radius_px, length_px(name, text_px)
        left = x + aside_px if x + aside_px + width_px <= size[0] else x - aside_px - width_px
        write(draw, (left, y - 0.7 * text_px), name, Style(text_px, _INK, rim=_PLATE))


def _outline(draw: ImageDraw.ImageDraw, box: Box, size: tuple[int, int], colour: str) -> None:
    """A coloured outline on a dark one, visible on any background, cut off at the picture's edge."""
    width_px = max(2, min(size) // 200)
    for grow_px, ink, line_px in ((width_px + 1, _PLATE, width_px + 2), (width_px, colour, width_px)):
        left, top = max(0, round(box.x1) - grow_px), max(0, round(box.y1) - grow_px)
        right = min(size[0] - 1, round(box.x2) + grow_px)
        bottom = min(size[1] - 1, round(box.y2) + grow_px)
        if left < right and top < bottom:
            draw.rectangle((left, top, right, bottom), outline=ink, width=line_px)


def _fitting_px(line: str, size_px: int, room_px: int) -> float:
    """The size at which the line fits."""
    wide_px = length_px(line, size_px)
    return size_px if wide_px <= room_px else max(6.0, size_px * room_px / wide_px)
