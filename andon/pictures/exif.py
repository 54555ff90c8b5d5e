"""Reads how a picture is to be turned: a camera that is mounted on its side says so in Exif and nowhere else.

Source: Exif 2.32, 4.6.2 and 4.6.4; TIFF 6.0, section 2.
"""

TAG = 0x112
MAX_ENTRIES = 1000


def orientation(tiff: bytes) -> int:
    """The tag of the first directory of Exif's TIFF structure; 1 (as it lies) if it has none that is valid."""
    little = tiff[:2] == b"II"

    def number(at: int, count: int) -> int:
        return int.from_bytes(tiff[at : at + count], "little" if little else "big")

    first = number(4, 4)
    entries = range(first + 2, first + 2 + 12 * min(number(first, 2), MAX_ENTRIES), 12)
    given = next((number(at + 8, 2) for at in entries if number(at, 2) == TAG), 1)
    return given if 1 <= given <= 8 else 1


def orientation_of(segment: bytes) -> int:
    """Of a JPEG's APP1 segment, or of a chunk of WebP; 1 if it holds no Exif."""
    return orientation(segment[6:]) if segment[:6] == b"Exif\0\0" else 1
