"""Pictures as real cameras and tools write them, made from one drawn picture."""

import re
from io import BytesIO

import cv2
import numpy as np
from PIL import Image

from andon.pictures.picture import Bgr

RESTARTS = re.compile(rb"\xff[\xd0-\xd7]")


def drawn(width: int = 320, height: int = 240) -> Bgr:
    """Six fields of colour with a little noise, no two corners alike."""
    rng = np.random.default_rng(5)
    upper, lower = [(30, 30, 200), (60, 160, 30), (200, 60, 40)], [(40, 200, 220), (128, 128, 128), (235, 240, 240)]
    picture = np.kron(np.array([upper, lower]), np.ones((height // 2, -(-width // 3), 1)))[:, :width]
    return np.asarray((picture + rng.normal(0, 1.5, picture.shape)).clip(0, 255), np.uint8)


def jpeg(*options: int, picture: Bgr | None = None) -> bytes:
    encoded = cv2.imencode(".jpg", drawn() if picture is None else picture, [cv2.IMWRITE_JPEG_QUALITY, 92, *options])
    return encoded[1].tobytes()


PLAIN = jpeg()
RESTARTING = jpeg(cv2.IMWRITE_JPEG_RST_INTERVAL, 5)
PROGRESSIVE = jpeg(cv2.IMWRITE_JPEG_PROGRESSIVE, 1)


def before_end(stuffing: bytes, content: bytes = PLAIN) -> bytes:
    return content[:-2] + stuffing + content[-2:]


def before_restarts(stuffing: bytes, content: bytes = RESTARTING) -> bytes:
    return RESTARTS.sub(lambda marker: stuffing + marker[0], content)


def before_scan(stuffing: bytes) -> bytes:
    """Between two segments of the header."""
    at = PLAIN.index(b"\xff\xda")
    return PLAIN[:at] + stuffing + PLAIN[at:]


def between_scans(stuffing: bytes) -> bytes:
    """Behind the coded data of each scan of a progressive JPEG."""
    first = PROGRESSIVE.index(b"\xff\xda") + 10
    return PROGRESSIVE[:first] + PROGRESSIVE[first:].replace(b"\xff\xc4", stuffing + b"\xff\xc4")


def with_byte(marker: bytes, at: int, value: int) -> bytes:
    """The plain JPEG with another byte, `at` bytes behind `marker`."""
    content = bytearray(PLAIN)
    content[PLAIN.index(marker) + at] = value
    return bytes(content)


def without(content: bytes, first: int, count: int) -> bytes:
    return content[:first] + content[first + count :]


def saved(form: str, mode: str = "RGB", orientation: int = 1, **options: object) -> bytes:
    """The drawn picture as Pillow writes it. With an orientation it lies so that it is upright once it is turned."""
    image = Image.fromarray(drawn()[..., ::-1])
    if orientation != 1:
        image = image.transpose(LYING[orientation])
        exif = Image.Exif()
        exif[0x112] = orientation
        options["exif"] = exif
    file = BytesIO()
    image.convert(mode).save(file, form, **options)
    return file.getvalue()


LYING = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""What undoes the turn that each orientation asks for."""


def deep(suffix: str, bits: int, *, grey: bool = False) -> bytes:
    """The drawn picture as a sensor of `bits` bits writes it, in samples of 16."""
    samples = drawn().astype(np.uint16) << (bits - 8)
    return cv2.imencode(suffix, samples[:, :, 1] if grey else samples)[1].tobytes()


def floats() -> bytes:
    return cv2.imencode(".tif", drawn()[:, :, 1].astype(np.float32) / 255)[1].tobytes()


def jpeg_2000() -> bytes:
    return cv2.imencode(".jp2", drawn())[1].tobytes()


def noise() -> bytes:
    """More than a megabyte."""
    picture = np.random.default_rng(1).integers(0, 255, (1000, 1000, 3), np.uint8)
    return jpeg(cv2.IMWRITE_JPEG_QUALITY, 100, picture=picture)


def line() -> bytes:
    """From a line-scan camera, in a format without a limit to its sides."""
    return cv2.imencode(".bmp", np.zeros((8, 66_000, 3), np.uint8))[1].tobytes()
