"""Every picture that the rule of proof lets through is compared with the plain decode of the whole stream."""

import random
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from andon.errors import PoisonError
from andon.video.decoder import DecodedUnit, GroupDecoder
from andon.video.h264 import H264
from andon.video.h265 import H265
from andon.video.pixels import BgrConverter
from andon.video.proof import LEADING, RECOVERING, Proof, ProofOfReferences
from andon.video.units import MalformedError, join, split
from tests.video_units import FRAMES, GROUP, OPEN_264, OPEN_265, PLAIN_264, REFRESH_264, STREAMS, Bgr, Encoder, stream

every_stream = pytest.mark.parametrize("encoder", STREAMS.values(), ids=STREAMS)
GONE = b""
"""In place of a unit that did not arrive."""


class Receiver:
    """Takes units as a worker does: feeds the decoder what the proof lets it have, and keeps the proven pictures."""

    def __init__(self, content_type: str, *, numbered: bool = True) -> None:
        """`numbered`: a missing unit shows in the numbers of those around it."""
        self._reader = H264() if content_type == "video/h264" else H265()
        self._decoder = GroupDecoder(content_type)
        self._numbered = numbered
        self._proof = ProofOfReferences()
        self._awaited: set[int] = set()
        self.proofs: dict[int, Proof] = {}
        self.pictures: dict[int, Bgr] = {}

    def take(self, units: Mapping[int, bytes], gaps: Mapping[int, str] | None = None) -> "Receiver":
        """`units` by number; GONE ones did not arrive."""
        for number, unit in units.items():
            if unit == GONE:
                if self._numbered:
                    self._proof.lose(f"unit {number} is missing")
            else:
                self._take(number, unit, (gaps or {}).get(number, ""))
        self._keep(self._decoder.flush())
        return self

    def _take(self, number: int, unit: bytes, gap: str) -> None:
        try:
            proof = self.proofs[number] = self._proof.take(self._reader.read(unit), number, gap)
            if proof.restart:
                self._keep(self._decoder.flush())
            if proof.proven:
                self._awaited.add(number)
            if proof.fed:
                self._keep(self._decoder.feed(unit, number))
        except (MalformedError, PoisonError) as error:
            self._awaited.discard(number)
            self._proof.lose(str(error))

    def _keep(self, decoded: Sequence[DecodedUnit]) -> None:
        for picture in decoded:
            if picture.damaged:
                self._awaited.clear()
                self._proof.lose("damaged")
            elif picture.number in self._awaited:
                self.pictures[picture.number] = BgrConverter().convert(picture.frame)

    @property
    def inspected(self) -> list[int]:
        return sorted(self.pictures)


def received(encoder: Encoder, units: Mapping[int, bytes], *, numbered: bool = True) -> Receiver:
    """What a receiver makes of these units; none of its pictures is smeared."""
    camera = stream(encoder)
    receiver = Receiver(camera.content_type, numbered=numbered).take(units)
    assert_whole(receiver, encoder)
    return receiver


def assert_whole(receiver: Receiver, encoder: Encoder) -> None:
    for number, picture in receiver.pictures.items():
        np.testing.assert_array_equal(picture, stream(encoder).pictures[number], f"picture {number} is smeared")


def all_of(encoder: Encoder) -> dict[int, bytes]:
    return dict(enumerate(stream(encoder).units))


@every_stream
def test_a_whole_stream_is_proven_from_its_first_unit_to_its_last(encoder: Encoder) -> None:
    assert received(encoder, all_of(encoder)).inspected == list(range(FRAMES))


@every_stream
def test_a_stream_joined_at_any_unit_shows_no_smeared_picture_and_goes_on(encoder: Encoder) -> None:
    for offset in range(FRAMES):
        waiting = 4 * GROUP if encoder is REFRESH_264 else 2 * GROUP
        until = min(FRAMES, offset + waiting + 2)
        units = {number: unit for number, unit in all_of(encoder).items() if offset <= number < until}
        receiver = received(encoder, units)
        assert set(range(offset + waiting, until)) <= set(receiver.inspected), offset


@every_stream
@pytest.mark.parametrize("numbered", [True, False], ids=["numbered", "unnumbered"])
def test_each_single_unit_may_be_lost_and_nothing_is_smeared(encoder: Encoder, numbered: bool) -> None:
    units = {number: unit for number, unit in all_of(encoder).items() if number < 4 * GROUP}
    for lost in range(GROUP - 2 + numbered, 2 * GROUP, 2):
        receiver = received(encoder, units | {lost: GONE}, numbered=numbered)
        assert lost not in receiver.inspected
        if encoder is not REFRESH_264:
            assert set(range(4 * GROUP - 5, 4 * GROUP)) <= set(receiver.inspected), lost


@every_stream
def test_units_without_a_part_of_them_are_never_inspected(encoder: Encoder) -> None:
    camera = stream(encoder)
    for broken in range(GROUP - 2, 2 * GROUP, 2):
        half = camera.units[broken][: len(camera.units[broken]) // 2]
        receiver = Receiver(camera.content_type).take(all_of(encoder) | {broken: half}, {broken: "a packet is missing"})
        assert_whole(receiver, encoder)
        assert broken not in receiver.inspected


@pytest.mark.parametrize("which", [0, -1], ids=["first", "last"])
@pytest.mark.parametrize("name", ["h264-slices", "h265-slices"])
def test_a_picture_without_one_of_its_slices_is_never_inspected(name: str, which: int) -> None:
    """The decoder of H.265 does not notice that the last slice is missing: ingest must say so (`gap`)."""
    encoder = STREAMS[name]
    for broken in range(11, 19):
        parts = split(stream(encoder).units[broken])
        del parts[[number for number, part in enumerate(parts) if _is_slice(part, name)][which]]
        gaps = {broken: "a packet is missing"} if which == -1 and name == "h265-slices" else None
        receiver = Receiver(stream(encoder).content_type).take(all_of(encoder) | {broken: join(parts)}, gaps)
        assert_whole(receiver, encoder)
        assert broken not in receiver.inspected
        assert set(range(20, FRAMES)) <= set(receiver.inspected)


def _is_slice(unit: bytes, name: str) -> bool:
    return unit[0] & 31 in (1, 5) if name.startswith("h264") else unit[0] >> 1 & 63 < 32


@every_stream
@pytest.mark.parametrize("seed", range(1))
def test_units_are_lost_at_random_and_nothing_is_smeared(encoder: Encoder, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(3):
        units = {number: GONE if chance.random() < 0.03 else unit for number, unit in all_of(encoder).items()}
        received(encoder, units)


def test_a_lost_keyframe_costs_its_group_and_no_other() -> None:
    receiver = received(PLAIN_264, all_of(PLAIN_264) | {20: GONE})
    assert receiver.inspected == [*range(20), *range(30, FRAMES)]
    assert receiver.proofs[21] == Proof(21, "unit 20 is missing", fed=False)


def test_a_unit_that_ingest_calls_incomplete_costs_its_group_even_if_it_decodes() -> None:
    receiver = Receiver("video/h264").take(all_of(PLAIN_264), {12: "2 packets are missing"})
    assert receiver.inspected == [*range(12), *range(20, FRAMES)]
    assert {receiver.proofs[number].why_not for number in range(12, 20)} == {"2 packets are missing"}


def test_a_decoder_begins_with_the_units_own_group() -> None:
    proofs = received(PLAIN_264, all_of(PLAIN_264)).proofs
    assert [proofs[number].start for number in range(FRAMES)] == [number - number % GROUP for number in range(FRAMES)]


@pytest.mark.parametrize("encoder", [OPEN_264, OPEN_265, REFRESH_264], ids=["h264-open", "h265-open", "h264-refresh"])
def test_whoever_begins_at_a_units_start_gets_its_picture(encoder: Encoder) -> None:
    """An open group's first pictures refer to the group before it, and a refresh takes a whole round."""
    proofs = received(encoder, all_of(encoder)).proofs
    for number, proof in proofs.items():
        units = {at: unit for at, unit in all_of(encoder).items() if proof.start <= at <= number}
        assert number in received(encoder, units).inspected, number
    assert len({proof.start for proof in proofs.values()}) > 2, "groups end"


@pytest.mark.parametrize("encoder", [OPEN_264, OPEN_265], ids=["h264", "h265"])
def test_pictures_that_are_shown_before_the_keyframe_at_which_decoding_began_are_not_proven(encoder: Encoder) -> None:
    whole = received(encoder, all_of(encoder))
    keyframe = next(number for number, proof in whole.proofs.items() if proof.start > 0) - 4
    units = {number: unit for number, unit in all_of(encoder).items() if number >= keyframe}
    proofs = received(encoder, units).proofs
    assert LEADING in {proof.why_not for proof in proofs.values()}


def test_a_stream_without_keyframes_is_proven_when_it_has_refreshed_itself() -> None:
    proofs = received(REFRESH_264, all_of(REFRESH_264) | {3: GONE}).proofs
    assert list(dict.fromkeys(proof.why_not for proof in proofs.values())) == ["", "unit 3 is missing", RECOVERING]
    assert proofs[FRAMES - 1].proven
