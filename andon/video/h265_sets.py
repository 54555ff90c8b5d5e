"""Reads an H.265 stream's parameter sets, as far as slice headers need them. Pure.

Source: ITU-T H.265 (08/2021), 7.3.2.2 (sequence parameter set), 7.3.2.3, 7.3.3 (profile), 7.3.4 (scaling lists).
"""

from dataclasses import dataclass

from andon.video.access_unit import StreamLayout
from andon.video.h265_references import References, references
from andon.video.units import Bits, MalformedError

_CROP = {0: (1, 1), 1: (2, 2), 2: (2, 1), 3: (1, 1)}
"""By chroma format: pixels of a step of the cropping, across and down."""
MOST_PX = 1 << 16
MOST_SETS, MOST_LONG = 64, 32


@dataclass(frozen=True, slots=True)
class SequenceSet:
    """A sequence parameter set."""

    number: int
    layout: StreamLayout
    blocks: int
    """Coding tree blocks of a picture."""
    poc_lsb_bits: int
    planes_apart: bool
    references: tuple[References, ...]
    """Sets of reference pictures that slices choose from."""
    long_term: bool
    """Slices may refer to long-term pictures."""
    long_term_sets: tuple[tuple[int, bool], ...]
    """Those that slices choose from: the lower part of the picture order count, and whether it is used at once."""


@dataclass(frozen=True, slots=True)
class PictureSet:
    """A picture parameter set."""

    number: int
    sequence: int
    dependent_slices: bool
    output_flag: bool
    extra_bits: int


def picture_set(unit: bytes) -> PictureSet:
    """Raises MalformedError."""
    bits = Bits(unit, 2)
    return PictureSet(bits.unsigned(63), bits.unsigned(15), bits.flag(), bits.flag(), bits.number(3))


def sequence_set(unit: bytes) -> SequenceSet:
    """Raises MalformedError."""
    bits = Bits(unit, 2, None)
    bits.skip(4)
    sub_layers = bits.number(3)
    bits.skip(1)
    interlaced = _profile(bits, sub_layers)
    number, chroma = bits.unsigned(15), bits.unsigned(3)
    apart = chroma == 3 and bits.flag()
    coded = bits.unsigned(MOST_PX), bits.unsigned(MOST_PX)
    width, height = _cropped(bits, coded, _CROP[0 if apart else chroma])
    bits.unsigned(8), bits.unsigned(8)  # depths
    lsb_bits = bits.unsigned(12) + 4
    reorder = _reorder(bits, sub_layers)
    block_px = 1 << (bits.unsigned(3) + 3 + bits.unsigned(3))
    for _ in range(4):
        bits.unsigned()
    if bits.flag() and bits.flag():
        _scaling_lists(bits)
    bits.skip(2)
    if bits.flag():  # uncompressed blocks
        bits.skip(8)
        bits.unsigned(), bits.unsigned()
        bits.skip(1)
    sets: list[References] = []
    for _ in range(bits.unsigned(MOST_SETS)):
        sets.append(references(bits, sets, in_slice=False))
    long_term, lsbs = bits.flag(), []
    if long_term:
        for _ in range(bits.unsigned(MOST_LONG)):
            lsbs.append((bits.number(lsb_bits), bits.flag()))
    blocks = -(-coded[0] // block_px) * -(-coded[1] // block_px)
    layout = StreamLayout(width, height, interlaced, reorder)
    return SequenceSet(number, layout, blocks, lsb_bits, apart, tuple(sets), long_term, tuple(lsbs))


def _profile(bits: Bits, sub_layers: int) -> bool:
    """Whether its pictures are interlaced."""
    bits.skip(40)
    progressive, interlaced = bits.flag(), bits.flag()
    bits.skip(54)
    given = [(bits.flag(), bits.flag()) for _ in range(sub_layers)]
    if sub_layers:
        bits.skip(2 * (8 - sub_layers))
    for profile, level in given:
        bits.skip(88 * profile + 8 * level)
    return interlaced and not progressive


def _cropped(bits: Bits, coded: tuple[int, int], step: tuple[int, int]) -> tuple[int, int]:
    width, height = coded
    if bits.flag():
        left, right, top, bottom = (bits.unsigned() for _ in range(4))
        width -= step[0] * (left + right)
        height -= step[1] * (top + bottom)
    if width < 1 or height < 1:
        raise MalformedError("its cropping leaves nothing of the picture")
    return width, height


def _reorder(bits: Bits, sub_layers: int) -> int:
    """Of the highest layer."""
    reorder = 0
    for _ in range(sub_layers + 1 if bits.flag() else 1):
        bits.unsigned(16)
        reorder = bits.unsigned(16)
        bits.unsigned()
    return reorder


def _scaling_lists(bits: Bits) -> None:
    for size in range(4):
        for _ in range(2 if size == 3 else 6):
            if not bits.flag():
                bits.unsigned(5)
                continue
            if size > 1:
                bits.signed()
            for _ in range(min(64, 1 << (4 + 2 * size))):
                bits.signed()
