"""Reads the headers of an H.264 stream: parameter sets, slices, recovery points. Pure.

Source: ITU-T H.264 (08/2021), 7.3.2.1 (sequence parameter set), 7.3.2.2, 7.3.3 (slice header), E.1 (VUI).
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from andon.video.access_unit import AccessUnit, StreamLayout, recovery_point
from andon.video.units import Bits, MalformedError, split

SLICE, PARTITION_A, IDR, SEI, SPS, PPS, AUD = 1, 2, 5, 6, 7, 8, 9
"""NAL unit types."""
DELIMITER = bytes([AUD, 0xF0])
"""An access unit delimiter that allows any slice."""
_HIGH = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
"""Profiles whose sequence parameter sets say more of the samples."""
_CROP = {0: (1, 1), 1: (2, 2), 2: (2, 1), 3: (1, 1)}
"""By chroma format: pixels of a step of the cropping, across and down."""
_OTHER_ASPECT = 255
_B_SLICE, _INTRA = 1, {2, 4}
"""Slice types: B; I and SI."""
MOST_MBS = 1 << 16
"""Macroblocks along a side, far beyond any level."""


@dataclass(frozen=True, slots=True)
class SequenceSet:
    """A sequence parameter set."""

    number: int
    layout: StreamLayout
    frame_num_bits: int
    gaps_allowed: bool
    poc_type: int
    poc_lsb_bits: int | None
    """None: of another type than 0."""
    planes_apart: bool
    """Each colour has slices of its own."""
    frames_only: bool


class H264:
    """One stream: knows the parameter sets that have come so far."""

    def __init__(self) -> None:
        self.sequences: dict[int, SequenceSet] = {}
        self.pictures: dict[int, int] = {}
        """The sequence parameter set of each picture parameter set."""
        self.sets: dict[tuple[int, int], bytes] = {}
        """The newest parameter sets as NAL units, by NAL unit type and number."""

    def read(self, payload: bytes) -> AccessUnit:
        """The access unit in `payload`, in Annex B. Raises MalformedError; the parameter sets that could be read are
        known all the same."""
        return self.read_units(split(payload))

    def read_units(self, units: Sequence[bytes]) -> AccessUnit:
        """As `read`, of NAL units without start codes."""
        slices = [unit for unit in units if _type(unit) in (SLICE, PARTITION_A, IDR)]
        sets = tuple(unit for unit in units if _type(unit) in (SPS, PPS))
        for unit in sets:
            self.keep(unit)
        if not slices:
            return AccessUnit("h264", parameter_sets=sets)
        points = [recovery_point(unit, 1, "h264") for unit in units if _type(unit) == SEI]
        point = next((item for item in points if item is not None), None)
        return self._picture(slices, point, sets)

    def keep(self, unit: bytes) -> None:
        """A parameter set, from the stream or from its description. Raises MalformedError."""
        if _type(unit) == SPS:
            sequence = sequence_set(unit)
            self.sequences[sequence.number] = sequence
            self.sets[SPS, sequence.number] = unit
        elif _type(unit) == PPS:
            bits = Bits(unit, 1)
            number, sequence_number = bits.unsigned(255), bits.unsigned(31)
            self.pictures[number] = sequence_number
            self.sets[PPS, number] = unit

    def _picture(self, slices: Sequence[bytes], point: tuple[int, bool] | None, sets: tuple[bytes, ...]) -> AccessUnit:
        first = slices[0]
        bits = Bits(first, 1)
        first_block, slice_type, picture_set = bits.unsigned(), bits.unsigned(9) % 5, bits.unsigned(255)
        sequence = self._sequence(picture_set)
        if sequence.planes_apart:
            bits.skip(2)
        frame_num, idr = bits.number(sequence.frame_num_bits), _type(first) == IDR
        if not sequence.frames_only and bits.flag():
            bits.skip(1)  # which field
        if idr:
            bits.unsigned(65_535)
        lsb_bits = sequence.poc_lsb_bits
        types = {slice_type, *(_slice_type(unit) for unit in slices[1:])}
        count, exact = point or (0, False)
        return AccessUnit(
            "h264",
            slices=len(slices),
            whole_start=first_block == 0,
            random_access="idr" if idr else "none" if point is None else "recovery",
            recovery=0 if idr else count,
            exact=not idr and exact,
            frame_num=frame_num,
            max_frame_num=1 << sequence.frame_num_bits,
            gaps_allowed=sequence.gaps_allowed,
            poc_type=sequence.poc_type,
            poc_lsb=None if lsb_bits is None else bits.number(lsb_bits),
            max_poc_lsb=0 if lsb_bits is None else 1 << lsb_bits,
            reference=bool(first[0] >> 5 & 3),
            intra=types <= _INTRA,
            bidirectional=_B_SLICE in types,
            picture_set=picture_set,
            layout=sequence.layout,
            parameter_sets=sets,
        )

    def _sequence(self, picture_set: int) -> SequenceSet:
        number = self.pictures.get(picture_set)
        if number is None:
            raise MalformedError(f"its picture parameter set {picture_set} has not come")
        if number not in self.sequences:
            raise MalformedError(f"its sequence parameter set {number} has not come")
        return self.sequences[number]


def is_slice(unit: bytes) -> bool:
    return _type(unit) in (SLICE, PARTITION_A, IDR)


def is_delimiter(unit: bytes) -> bool:
    return _type(unit) == AUD


def is_parameter_set(unit: bytes) -> bool:
    return _type(unit) in (SPS, PPS)


def sequence_set(unit: bytes) -> SequenceSet:
    """Raises MalformedError."""
    bits = Bits(unit, 1, None)
    profile = bits.number(8)
    bits.skip(16)
    number, chroma, apart = bits.unsigned(31), 1, False
    if profile in _HIGH:
        chroma, apart = _samples(bits)
    frame_num_bits = bits.unsigned(12) + 4
    poc_type, lsb_bits = _order(bits)
    bits.unsigned()  # the most reference pictures
    gaps_allowed = bits.flag()
    across, down = bits.unsigned(MOST_MBS) + 1, bits.unsigned(MOST_MBS) + 1
    frames_only = bits.flag()
    if not frames_only:
        bits.skip(1)
    bits.skip(1)
    lines = 1 if frames_only else 2
    width, height = _cropped(bits, 16 * across, 16 * down * lines, _CROP[0 if apart else chroma], lines)
    reorder = _reorder(bits) if bits.flag() else None
    layout = StreamLayout(width, height, not frames_only, reorder)
    return SequenceSet(number, layout, frame_num_bits, gaps_allowed, poc_type, lsb_bits, apart, frames_only)


def _type(unit: bytes) -> int:
    return unit[0] & 31


def _slice_type(unit: bytes) -> int:
    bits = Bits(unit, 1)
    bits.unsigned()
    return bits.unsigned(9) % 5


def _samples(bits: Bits) -> tuple[int, bool]:
    """Chroma format, and whether each colour has slices of its own."""
    chroma = bits.unsigned(3)
    apart = chroma == 3 and bits.flag()
    bits.unsigned(6), bits.unsigned(6)  # depths
    bits.skip(1)
    if bits.flag():
        for number in range(12 if chroma == 3 else 8):
            if bits.flag():
                _scaling_list(bits, 16 if number < 6 else 64)
    return chroma, apart


def _scaling_list(bits: Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _order(bits: Bits) -> tuple[int, int | None]:
    """The type of the picture order count, and the bits of its lower part; None: it has none."""
    kind = bits.unsigned(2)
    if kind == 0:
        return kind, bits.unsigned(12) + 4
    if kind == 1:
        bits.skip(1)
        bits.signed(), bits.signed()
        for _ in range(bits.unsigned(255)):
            bits.signed()
    return kind, None


def _cropped(bits: Bits, width: int, height: int, step: tuple[int, int], lines: int) -> tuple[int, int]:
    if bits.flag():
        left, right, top, bottom = (bits.unsigned() for _ in range(4))
        width -= step[0] * (left + right)
        height -= step[1] * lines * (top + bottom)
    if width < 1 or height < 1:
        raise MalformedError("its cropping leaves nothing of the picture")
    return width, height


def _reorder(bits: Bits) -> int | None:
    """From the VUI: how many pictures are reordered at most. None: it does not say, or is broken, as many are."""
    with suppress(MalformedError):
        return _stated_reorder(bits)
    return None


def _stated_reorder(bits: Bits) -> int | None:
    if bits.flag() and bits.number(8) == _OTHER_ASPECT:
        bits.skip(32)
    if bits.flag():
        bits.skip(1)
    _pass_colours(bits)
    if bits.flag():
        bits.skip(65)  # the rate
    models = [bits.flag() and _pass_buffer(bits) for _ in range(2)]
    if any(models):
        bits.skip(1)
    bits.skip(1)
    if not bits.flag():
        return None
    bits.skip(1)
    for _ in range(4):
        bits.unsigned()
    return bits.unsigned(16)


def _pass_colours(bits: Bits) -> None:
    if bits.flag():
        bits.skip(4)
        if bits.flag():
            bits.skip(24)
    if bits.flag():
        bits.unsigned(), bits.unsigned()


def _pass_buffer(bits: Bits) -> bool:
    """Passes over the parameters of a hypothetical decoder's buffer."""
    count = bits.unsigned(31) + 1
    bits.skip(8)
    for _ in range(count):
        bits.unsigned(), bits.unsigned()
        bits.skip(1)
    bits.skip(20)
    return True
