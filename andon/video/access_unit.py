"""An access unit before it is decoded: one coded picture with all that belongs to it."""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from andon.video.units import Bits, Kind, MalformedError

RandomAccess = Literal["none", "idr", "cra", "bla", "recovery"]
Leading = Literal["none", "rasl", "radl"]
RECOVERY_POINT = 6
"""SEI payload type (H.264 D.1.8, H.265 D.2.8)."""


@dataclass(frozen=True, slots=True)
class StreamLayout:
    """What a sequence parameter set says of the pictures."""

    width: int
    height: int
    """In pixels, cropped as the stream asks."""
    interlaced: bool
    """A picture may be a field, or made of two fields."""
    reorder: int | None
    """Pictures at most that come before one in the stream and after it on the screen. None: it does not say."""


@dataclass(frozen=True, slots=True)
class LongTerm:
    """A long-term reference of an H.265 picture."""

    number: int
    """By how much its picture order count is below the picture's, or the count's lower part."""
    lower_part: bool
    used: bool
    """The picture itself refers to it, and not only later ones."""


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One access unit, as its headers describe it."""

    kind: Kind
    slices: int = 0
    """0: no picture is in it, only parameter sets or messages."""
    whole_start: bool = False
    """Its first slice begins with the picture's first block; False: the beginning is missing."""
    random_access: RandomAccess = "none"
    """Whether a decoder can start here. `recovery`: it can, and its pictures are right after `recovery` more."""
    recovery: int = 0
    """For `recovery`: this many pictures later all are right. 0: from this one on."""
    exact: bool = False
    """For `recovery`: the pictures are then exactly those of a decoder that began earlier, and not only alike."""
    leading: Leading = "none"
    """H.265: shown before the random access point that it follows. rasl: it needs pictures before that point."""
    frame_num: int | None = None
    """H.264: it counts the reference pictures, modulo `max_frame_num`."""
    max_frame_num: int = 0
    gaps_allowed: bool = False
    """H.264: the encoder itself may leave numbers out."""
    poc_type: int = 0
    """H.264: how the order of pictures is given; 0: by `poc_lsb`, 2: they are shown in the order of the stream."""
    poc_lsb: int | None = None
    """The lower part of the picture order count. None: H.264 with another type than 0."""
    max_poc_lsb: int = 0
    """How many values `poc_lsb` has."""
    reference: bool = False
    """Later pictures may refer to it."""
    temporal_id: int = 0
    """H.265: its temporal layer; 0 is the lowest."""
    intra: bool = False
    """It has I slices only."""
    bidirectional: bool = False
    """It has B slices: it may be shown before pictures that stand before it in the stream."""
    used: tuple[int, ...] | None = None
    """H.265: the pictures that it refers to, as differences of the picture order count. None: H.264."""
    kept: tuple[int, ...] | None = None
    """H.265: all pictures that it or a later one may refer to, in the same way. Every other one is forgotten."""
    long_term: tuple[LongTerm, ...] = ()
    """H.265: long-term pictures that it or a later one may refer to."""
    picture_set: int | None = None
    """The picture parameter set that its first slice uses."""
    layout: StreamLayout | None = None
    """Of its sequence. None: no picture is in it."""
    parameter_sets: tuple[bytes, ...] = field(default=(), repr=False)
    """Those that are in it, as NAL units."""


def recovery_point(unit: bytes, header_bytes: int, kind: Kind) -> tuple[int, bool] | None:
    """An SEI unit's recovery point: the count, and whether the match is exact. None: it holds none that can be read."""
    bits = Bits(unit, header_bytes)
    with suppress(MalformedError):  # a message longer than what is read, too: nothing behind it is read
        while bits.left > 16:  # two bytes of a message's head; the unit ends with a byte of its own
            payload_type, size = _long(bits), _long(bits)
            if payload_type == RECOVERY_POINT:
                return (bits.unsigned() if kind == "h264" else max(0, bits.signed())), bits.flag()
            bits.skip(8 * size)
    return None


def _long(bits: Bits) -> int:
    """A number in bytes, 255 at a time."""
    value = 0
    while (part := bits.number(8)) == 255:
        value += part
    return value + part
