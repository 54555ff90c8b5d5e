"""NAL units in Annex B: an H.264 or H.265 stream as a sequence of units, each behind a start code.

Source: ITU-T H.264 and H.265, annex B, and 7.4.1 (emulation prevention). Pure: no decoder, no FFmpeg.
"""

from collections.abc import Iterable
from typing import Literal

Kind = Literal["h264", "h265"]
CONTENT_TYPES: dict[str, Kind] = {"video/h264": "h264", "video/h265": "h265"}
"""By content type of a frame's record."""
START_CODE = b"\x00\x00\x00\x01"
HEADER_BYTES = 256
"""Of a unit's begin, as much as any header takes that is read here, parameter sets apart."""


class MalformedError(Exception):
    """Bytes that no H.264 or H.265 encoder writes, or that can't be read without others that are missing. One line."""


def split(payload: bytes) -> list[bytes]:
    """The NAL units without their start codes. Raises MalformedError: there is none.

    A unit can't hold a start code, and can't end with a zero byte. So a unit with another one behind it, as some
    cameras send them, comes apart here, too.
    """
    before, *units = payload.split(b"\x00\x00\x01")
    if before.strip(b"\x00"):
        raise MalformedError("it does not begin with a start code")
    whole = [unit for part in units if (unit := part.rstrip(b"\x00"))]
    if not whole:
        raise MalformedError("it holds no NAL unit")
    return whole


def join(units: Iterable[bytes]) -> bytes:
    """The units in Annex B."""
    return b"".join([part for unit in units for part in (START_CODE, unit)])


class Bits:
    """Reads a unit's bits from the first to the last. Every method raises MalformedError beyond the end."""

    def __init__(self, unit: bytes, header_bytes: int, most_bytes: int | None = HEADER_BYTES) -> None:
        """`header_bytes`: of the unit's own header, which are passed over; `most_bytes`: how far it will be read."""
        body = unit[header_bytes:most_bytes].replace(b"\x00\x00\x03", b"\x00\x00")
        self._value = int.from_bytes(body)
        self._left = 8 * len(body)

    @property
    def left(self) -> int:
        """Bits that have not been read."""
        return self._left

    def flag(self) -> bool:
        return bool(self.number(1))

    def number(self, bits: int) -> int:
        """Unsigned, of a fixed length: u(n)."""
        if bits > self._left:
            raise MalformedError("a NAL unit ends before its header does")
        self._left -= bits
        return self._value >> self._left & (1 << bits) - 1

    def skip(self, bits: int) -> None:
        self.number(bits)

    def unsigned(self, most: int = 2**32 - 2) -> int:
        """Exp-Golomb code: ue(v). Raises MalformedError above `most`, too."""
        zeros = 0
        while not self.number(1):
            zeros += 1
            if zeros > 31:
                raise MalformedError("a number in a NAL unit's header is longer than any can be")
        value = (1 << zeros) - 1 + self.number(zeros)
        if value > most:
            raise MalformedError(f"a number in a NAL unit's header is {value}, at most {most} is possible")
        return value

    def signed(self) -> int:
        """Exp-Golomb code with a sign: se(v)."""
        value = self.unsigned()
        return (value + 1) // 2 if value % 2 else -(value // 2)
