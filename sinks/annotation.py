"""Draws what was found onto the frame that shows it best; nothing here knows of Kafka or of storage."""

from io import BytesIO

from PIL import Image, ImageDraw, ImageFont, UnidentifiedImageError

from andon.errors import PoisonError
from andon.messages import Box, Defect, Severity

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
_PLATE, _INK = "#14171a", "#f5f5f5"


def annotated(picture: bytes, defect: Defect, jpeg_quality: int) -> bytes:
    """The JPEG of `picture` with the defect's box on it, and below it a plate that says what, where and when.

    `picture` is an encoded JPEG or PNG; `defect.box` is in its pixels. No pixel outside the box's outline is touched.
    Raises PoisonError for what can't be decoded, or is above 40 megapixels.
    """
    image = _decode(picture)
    size_px = max(12, min(image.size) // 24)
    lines = _lines(defect)
    plate_px = size_px * (len(lines) + 1) + size_px // 2
    canvas = Image.new("RGB", (image.width, image.height + plate_px), _PLATE)
    canvas.paste(image)
    draw = ImageDraw.Draw(canvas)
    _outline(draw, defect.box, image.size, _COLOURS[defect.severity])
    for number, line in enumerate(lines):
        colour = _COLOURS[defect.severity] if number == 0 else _INK
        at = (size_px // 2, image.height + size_px // 2 + number * (size_px + size_px // 4))
        draw.text(at, line, fill=colour, font=_fitting(line, size_px, image.width - size_px))
    out = BytesIO()
    canvas.save(out, "JPEG", quality=jpeg_quality, subsampling=0)  # halved chroma would smear thin lines
    return out.getvalue()


def _decode(picture: bytes) -> Image.Image:
    try:
        with Image.open(BytesIO(picture), formats=["JPEG", "PNG"]) as image:
            if image.width * image.height > MAX_PIXELS:
                raise PoisonError("too_large", f"the frame has {image.width} x {image.height} pixels")
            return image.convert("RGB")
    except _UNREADABLE as error:
        raise PoisonError("undecodable", f"the frame can't be drawn on: {type(error).__name__}") from None


def _lines(defect: Defect) -> tuple[str, str]:
    what = f"{defect.severity.upper()}  {defect.label}  {defect.confidence:.0%}"
    moment = defect.at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    part = f"  part {defect.part_id}" if defect.part_id else ""
    return what, f"{defect.camera_id}  {moment} UTC{part}"


def _outline(draw: ImageDraw.ImageDraw, box: Box, size: tuple[int, int], colour: str) -> None:
    """A coloured outline on a dark one, to be seen on any ground; cut off at the picture's edge."""
    width_px = max(2, min(size) // 200)
    for grow_px, ink, line_px in ((width_px + 1, _PLATE, width_px + 2), (width_px, colour, width_px)):
        left, top = max(0, round(box.x1) - grow_px), max(0, round(box.y1) - grow_px)
        right = min(size[0] - 1, round(box.x2) + grow_px)
        bottom = min(size[1] - 1, round(box.y2) + grow_px)
        if left < right and top < bottom:
            draw.rectangle((left, top, right, bottom), outline=ink, width=line_px)


def _fitting(line: str, size_px: int, room_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The built-in font, smaller where the line would not fit."""
    font = ImageFont.load_default(size_px)
    length_px = font.getlength(line)
    return font if length_px <= room_px else ImageFont.load_default(max(6.0, size_px * room_px / length_px))
