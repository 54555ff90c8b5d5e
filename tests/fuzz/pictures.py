"""Pictures and their seeded damage: flipped bits, cuts, and bombs in the form of pictures."""

import struct
import zlib
from functools import lru_cache
from random import Random

import cv2
import numpy as np

from tests.fuzz.records import damaged

JPEG, PNG = "image/jpeg", "image/png"
SIDES = ((60, 80), (1, 1), (17, 33), (240, 320))
Bomb = tuple[bytes, str]
"""The picture and its content type."""


def mutated(seed: int) -> Bomb:
    """The damaged picture of this seed."""
    rng = Random(seed)
    if rng.random() < 0.1:
        return rng.choice(bombs())
    picture, kind = rng.choice(originals())
    match rng.randrange(6):
        case 0:
            picture = _sized(picture, kind, rng)
        case 1 if kind == PNG:
            picture = _rechecked(picture, rng)
        case 1:
            picture = _remarked(picture, rng)
        case _:
            for _ in range(rng.choice((1, 1, 2, 5))):
                picture = damaged(picture, rng)
    return picture, rng.choice((PNG, JPEG)) if rng.random() < 0.02 else kind


@lru_cache(1)
def originals() -> tuple[Bomb, ...]:
    pictures: list[Bomb] = []
    for height, width in SIDES:
        noise = np.random.default_rng(height).integers(0, 255, (max(1, height // 8), max(1, width // 8), 3), np.uint8)
        colour = cv2.resize(noise, (width, height))
        for image in (colour, colour[:, :, 0]):
            pictures.append((_encoded(".jpg", image), JPEG))
            pictures.append((_encoded(".jpg", image, cv2.IMWRITE_JPEG_PROGRESSIVE, 1), JPEG))
            pictures.append((_encoded(".jpg", image, cv2.IMWRITE_JPEG_RST_INTERVAL, 2), JPEG))
            pictures.append((_encoded(".png", image), PNG))
        pictures.append((_encoded(".png", np.dstack([colour, colour[:, :, 0]])), PNG))
        pictures.append((_encoded(".png", colour.astype(np.uint16) * 200), PNG))
    return tuple(pictures)


@lru_cache(1)
def bombs() -> tuple[Bomb, ...]:
    """Small inputs that demand much memory, time or depth."""
    jpeg, png = originals()[0][0], originals()[3][0]
    progressive = originals()[1][0]
    big = _encoded(".jpg", np.zeros((1000, 1000), np.uint8), cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    return (
        *((_jpeg_sized(jpeg, *size), JPEG) for size in ((65_535, 65_535), (65_535, 1), (0, 0), (1_000, 1_000))),
        *((_png_sized(png, *size), PNG) for size in ((2**31 - 1, 2**31 - 1), (2**32 - 1, 1), (0, 5), (1_000, 1_000))),
        (with_scans(progressive, 2_000), JPEG),
        (with_scans(big, 20_000), JPEG),
        (jpeg[:2] + b"\xff\xe1\xff\xff" + jpeg * 30 + jpeg[2:], JPEG),  # pictures within a picture's segment
        (jpeg[:2] + b"\xff" * 200_000 + jpeg[2:], JPEG),  # nothing but fill bytes
        (jpeg[:2] + b"\xff\xe0\x00\x02" * 50_000 + jpeg[2:], JPEG),
        (jpeg[:2] + b"\xff\xfe\x00\x00" + jpeg[2:], JPEG),
        (jpeg * 100, JPEG),
        (_with_chunk(png, b"IDAT", zlib.compress(bytes(50_000_000), 9)), PNG),
        (_with_chunk(png, b"zTXt", b"k\0\0" + zlib.compress(bytes(50_000_000), 9)), PNG),
        (_with_chunk(png, b"iCCP", b"k\0\0" + zlib.compress(bytes(50_000_000), 9)), PNG),
        (_with_chunk(png, b"iTXt", b"k\0\1\0\0\0" + zlib.compress(bytes(50_000_000), 9)), PNG),
        (_with_chunk(png, b"acTL", struct.pack(">II", 2**31 - 1, 0)), PNG),
        (_with_chunk(png, b"acTL", struct.pack(">II", 3, 0), b"fcTL", _frame_control()), PNG),
        (_with_chunk(png, b"tEXt", b"k\0" + b"x" * 500_000), PNG),
        (_with_chunk(png, *([b"tIME", b"\x07\xea\x03\x01\0\0\0"] * 20_000)), PNG),
        (png + png * 50, PNG),
    )


def with_scans(progressive: bytes, count: int) -> bytes:
    """A progressive JPEG with its last scan repeated: the decoder goes through the whole picture for each scan."""
    at = progressive.rindex(b"\xff\xda")
    return progressive[:-2] + progressive[at:-2] * count + progressive[-2:]


def _encoded(suffix: str, image: np.ndarray, *options: int) -> bytes:
    return cv2.imencode(suffix, image, list(options))[1].tobytes()


def _sized(picture: bytes, kind: str, rng: Random) -> bytes:
    if kind == PNG:
        return _png_sized(picture, *(rng.choice((0, 1, 5, 1_000, 65_536, 2**31, 2**32 - 1)) for _ in "wh"))
    return _jpeg_sized(picture, *(rng.choice((0, 1, 5, 999, 1_000, 8_000, 65_535)) for _ in "wh"))


def _jpeg_sized(jpeg: bytes, width: int, height: int) -> bytes:
    at = next(jpeg.index(marker) for marker in (b"\xff\xc0", b"\xff\xc2") if marker in jpeg)
    return jpeg[: at + 5] + struct.pack(">HH", height, width) + jpeg[at + 9 :]


def _png_sized(png: bytes, width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">II", width, height) + png[24:29]
    return png[:12] + header + struct.pack(">I", zlib.crc32(header)) + png[33:]


def _with_chunk(png: bytes, *chunks: bytes) -> bytes:
    """`png` with `chunks` (kind, body, kind, body ...) after IHDR."""
    middle = b"".join(_chunk(kind, body) for kind, body in zip(chunks[::2], chunks[1::2], strict=True))
    return png[:33] + middle + png[33:]


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _frame_control() -> bytes:
    return struct.pack(">IIIIIHHBB", 0, 2**31 - 1, 2**31 - 1, 0, 0, 1, 1, 0, 0)


def _rechecked(png: bytes, rng: Random) -> bytes:
    """Damage within a chunk, with the right checksum: it passes the first check."""
    chunks, at = [], 8
    while at + 12 <= len(png):
        length = int.from_bytes(png[at : at + 4])
        chunks.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + length]))
        at += 12 + length
    index = rng.randrange(len(chunks))
    kind, body = chunks[index]
    chunks[index] = (rng.choice((kind, kind, b"IDAT", b"PLTE", b"tRNS", b"fcTL", b"fdAT")), damaged(body, rng))
    return png[:8] + b"".join(_chunk(kind, body) for kind, body in chunks)


def _remarked(jpeg: bytes, rng: Random) -> bytes:
    """Another marker in the place of one, or another length behind it."""
    places = [at for at in range(2, len(jpeg) - 4) if jpeg[at] == 0xFF and jpeg[at + 1] not in (0, 0xFF)]
    at = rng.choice(places)
    if rng.random() < 0.5:
        return jpeg[: at + 1] + bytes([rng.randrange(0xC0, 0xFF)]) + jpeg[at + 2 :]
    return jpeg[: at + 2] + struct.pack(">H", rng.choice((0, 1, 2, 8, 11, 17, 65_535))) + jpeg[at + 4 :]
