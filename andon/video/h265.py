"""Reads the headers of an H.265 stream: slices, recovery points, and which pictures each one refers to. Pure.

Source: ITU-T H.265 (08/2021), table 7-1 (unit types), 7.3.6.1 (slice header), 8.3.2 (reference picture set).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from andon.video.access_unit import AccessUnit, Leading, LongTerm, RandomAccess, recovery_point
from andon.video.h265_references import NOTHING, References, references
from andon.video.h265_sets import PictureSet, SequenceSet, picture_set, sequence_set
from andon.video.units import Bits, MalformedError, split

VPS, SPS, PPS, AUD, SEI = 32, 33, 34, 35, 39
"""NAL unit types."""
DELIMITER = bytes([AUD << 1, 1, 0x50])
"""An access unit delimiter that allows any slice."""
_SLICES = (*range(10), *range(16, 22))
_RANDOM_ACCESS: dict[int, RandomAccess] = {16: "bla", 17: "bla", 18: "bla", 19: "idr", 20: "idr", 21: "cra"}
_LEADING: dict[int, Leading] = {6: "radl", 7: "radl", 8: "rasl", 9: "rasl"}
_IDR = (19, 20)
_B_SLICE, _I_SLICE = 0, 2


@dataclass(frozen=True, slots=True)
class _Slice:
    first: bool
    picture_set: int
    kind: int
    poc_lsb: int
    references: References
    long: tuple[LongTerm, ...]


class H265:
    """One stream: knows the parameter sets that have come so far."""

    def __init__(self) -> None:
        self.sequences: dict[int, SequenceSet] = {}
        self.pictures: dict[int, PictureSet] = {}
        self.sets: dict[tuple[int, int], bytes] = {}
        """The newest parameter sets as NAL units, by NAL unit type and number."""

    def read(self, payload: bytes) -> AccessUnit:
        """The access unit in `payload`, in Annex B. Raises MalformedError; the parameter sets that could be read are
        known all the same."""
        return self.read_units(split(payload))

    def read_units(self, units: Sequence[bytes]) -> AccessUnit:
        """As `read`, of NAL units without start codes."""
        base = [unit for unit in units if len(unit) > 2 and not unit[0] & 1 and not unit[1] >> 3]  # of the base layer
        slices = [unit for unit in base if is_slice(unit)]
        sets = tuple(unit for unit in base if _type(unit) in (VPS, SPS, PPS))
        for unit in sets:
            self.keep(unit)
        if not slices:
            return AccessUnit("h265", parameter_sets=sets)
        points = [recovery_point(unit, 2, "h265") for unit in base if _type(unit) == SEI]
        point = next((item for item in points if item is not None), None)
        return self._picture(slices, point, sets)

    def keep(self, unit: bytes) -> None:
        """A parameter set, from the stream or from its description. Raises MalformedError."""
        match _type(unit):
            case 32:
                self.sets[VPS, Bits(unit, 2).number(4)] = unit
            case 33:
                sequence = sequence_set(unit)
                self.sequences[sequence.number] = sequence
                self.sets[SPS, sequence.number] = unit
            case 34:
                picture = picture_set(unit)
                self.pictures[picture.number] = picture
                self.sets[PPS, picture.number] = unit

    def _picture(self, slices: Sequence[bytes], point: tuple[int, bool] | None, sets: tuple[bytes, ...]) -> AccessUnit:
        kind, layer = _type(slices[0]), (slices[0][1] & 7) - 1
        head, sequence = self._slice(slices[0])
        access = _RANDOM_ACCESS.get(kind, "none")
        recovers = access == "none" and point is not None
        count, exact = point if recovers and point is not None else (0, False)
        return AccessUnit(
            "h265",
            slices=len(slices),
            whole_start=head.first,
            random_access="recovery" if recovers else access,
            recovery=count,
            exact=exact,
            leading=_LEADING.get(kind, "none"),
            poc_lsb=head.poc_lsb,
            max_poc_lsb=1 << sequence.poc_lsb_bits,
            reference=kind >= 16 or kind % 2 == 1,
            temporal_id=layer,
            intra=head.kind == _I_SLICE,
            bidirectional=head.kind == _B_SLICE and bool(head.references.later),
            used=tuple(at for at, used in head.references.all if used),
            kept=tuple(at for at, _ in head.references.all),
            long_term=head.long,
            picture_set=head.picture_set,
            layout=sequence.layout,
            parameter_sets=sets,
        )

    def _slice(self, unit: bytes) -> tuple[_Slice, SequenceSet]:
        bits, kind = Bits(unit, 2), _type(unit)
        first = bits.flag()
        if kind >= 16:
            bits.skip(1)
        picture, sequence = self._sets(bits.unsigned(63))
        if not first:
            dependent = picture.dependent_slices and bits.flag()
            bits.skip(max(0, (sequence.blocks - 1).bit_length()))
            if dependent:
                raise MalformedError("its first slice is missing")
        bits.skip(picture.extra_bits)
        slice_kind = bits.unsigned(2)
        bits.skip(picture.output_flag + 2 * sequence.planes_apart)
        if kind in _IDR:
            return _Slice(first, picture.number, slice_kind, 0, NOTHING, ()), sequence
        lsb = bits.number(sequence.poc_lsb_bits)
        chosen = _references(bits, sequence)
        long = _long(bits, sequence, lsb) if sequence.long_term else ()
        return _Slice(first, picture.number, slice_kind, lsb, chosen, long), sequence

    def _sets(self, number: int) -> tuple[PictureSet, SequenceSet]:
        picture = self.pictures.get(number)
        if picture is None:
            raise MalformedError(f"its picture parameter set {number} has not come")
        sequence = self.sequences.get(picture.sequence)
        if sequence is None:
            raise MalformedError(f"its sequence parameter set {picture.sequence} has not come")
        return picture, sequence


def is_slice(unit: bytes) -> bool:
    return _type(unit) in _SLICES


def is_delimiter(unit: bytes) -> bool:
    return _type(unit) == AUD


def is_parameter_set(unit: bytes) -> bool:
    return _type(unit) in (VPS, SPS, PPS)


def _type(unit: bytes) -> int:
    return unit[0] >> 1 & 63


def _references(bits: Bits, sequence: SequenceSet) -> References:
    sets = sequence.references
    if not bits.flag():
        return references(bits, sets, in_slice=True)
    if not sets:
        raise MalformedError("it chooses from no sets of reference pictures")
    chosen = bits.number((len(sets) - 1).bit_length())
    if chosen >= len(sets):
        raise MalformedError("it chooses a set of reference pictures that does not exist")
    return sets[chosen]


def _long(bits: Bits, sequence: SequenceSet, lsb: int) -> tuple[LongTerm, ...]:
    listed, lsbs = sequence.long_term_sets, 1 << sequence.poc_lsb_bits
    chosen = bits.unsigned(32) if listed else 0
    explicit, out, cycles = bits.unsigned(32), [], 0
    for index in range(chosen + explicit):
        low, used = _chosen(bits, listed) if index < chosen else (bits.number(sequence.poc_lsb_bits), bits.flag())
        if index in (0, chosen):
            cycles = 0
        if bits.flag():
            cycles += bits.unsigned(1 << 16)
            out.append(LongTerm(lsb - low + cycles * lsbs, False, used))
        else:
            out.append(LongTerm(low, True, used))
    return tuple(out)


def _chosen(bits: Bits, listed: Sequence[tuple[int, bool]]) -> tuple[int, bool]:
    at = bits.number((len(listed) - 1).bit_length())
    if at >= len(listed):
        raise MalformedError("it chooses a long-term picture that does not exist")
    return listed[at]
