"""One camera's video in a worker: each frame comes out once, in the order of presentation, whole or not at all."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from andon.errors import PoisonError
from andon.messages import Frame
from andon.pictures.picture import PictureLimits
from andon.video.decoder import DecodedUnit, GroupDecoder
from andon.video.units import join, split
from tests.fakes import START, FakeClock
from tests.video_units import (
    B_FRAMES_264,
    B_FRAMES_265,
    FRAMES,
    GROUP,
    HEIGHT,
    OPEN_264,
    OPEN_265,
    PLAIN_264,
    PLAIN_265,
    REFRESH_264,
    STREAMS,
    WIDTH,
    X264,
    X265,
    Encoder,
    stream,
)
from workers.decoding.stream import UNITS, CameraStream, Outcome, VideoRecord

LIMITS = PictureLimits(1_000_000, 1_000_000)
every_stream = pytest.mark.parametrize("encoder", STREAMS.values(), ids=STREAMS)


def records(encoder: Encoder, numbers: Iterable[int] = range(FRAMES), **fields: Any) -> list[VideoRecord]:
    """Record `n` holds unit `n`, at offset 100 + n."""
    camera, clip = stream(encoder), []
    for number in numbers:
        given = {"session": "s", "payload": camera.units[number], "media_time_s": camera.order[number] / 25} | fields
        frame = Frame(
            camera_id="cam",
            seq=number,
            captured_at=START + timedelta(seconds=camera.order[number] / 25),
            clock="camera",
            width=WIDTH,
            height=HEIGHT,
            content_type=camera.content_type,
            **given,
        )
        clip.append(VideoRecord(frame, 100 + number))
    return clip


def decoded(frames: Sequence[VideoRecord], *, at: CameraStream | None = None, end: bool = True) -> list[Outcome]:
    camera = at or CameraStream(LIMITS, FakeClock())
    out = [outcome for record in frames for outcome in camera.take(record)]
    return out + (camera.lose("the session has ended") if end else [])


def inspected(outcomes: Sequence[Outcome]) -> list[int]:
    return [outcome.record.frame.seq for outcome in outcomes if outcome.picture is not None]


def reasons(outcomes: Sequence[Outcome]) -> dict[int, str]:
    return {item.record.frame.seq: str(item.error) for item in outcomes if item.error is not None}


def assert_whole(outcomes: Sequence[Outcome], encoder: Encoder) -> None:
    for outcome in outcomes:
        if outcome.picture is not None:
            seq = outcome.record.frame.seq
            np.testing.assert_array_equal(outcome.picture.pixels, stream(encoder).pictures[seq], f"{seq} is smeared")


@every_stream
def test_every_frame_comes_out_once_in_the_order_of_presentation_pixel_for_pixel(encoder: Encoder) -> None:
    outcomes = decoded(records(encoder))
    assert inspected(outcomes) == stream(encoder).shown
    assert_whole(outcomes, encoder)


@pytest.mark.parametrize("encoder", [PLAIN_264, PLAIN_265], ids=["h264", "h265"])
def test_without_b_frames_each_record_gives_its_own_frame_at_once(encoder: Encoder) -> None:
    camera = CameraStream(LIMITS, FakeClock())
    for record in records(encoder):
        (outcome,) = camera.take(record)
        assert outcome.record is record
        assert outcome.later == ()
        assert camera.held == []


@pytest.mark.parametrize("encoder", [B_FRAMES_264, B_FRAMES_265], ids=["h264", "h265"])
def test_an_inspection_names_the_lower_numbers_that_follow_it(encoder: Encoder) -> None:
    out: set[int] = set()
    for outcome in decoded(records(encoder)):
        seq = outcome.record.frame.seq
        assert set(outcome.later) == set(range(seq)) - out, seq
        out.add(seq)


@every_stream
def test_each_frame_names_the_record_with_which_its_decoding_begins(encoder: Encoder) -> None:
    starts = {outcome.record.frame.seq: outcome.start for outcome in decoded(records(encoder))}
    for seq, start in starts.items():
        assert start is not None
        again = decoded(records(encoder, range(start - 100, seq + 1)))
        assert seq in inspected(again)
    assert len(set(starts.values())) > 2


@every_stream
def test_every_record_has_one_outcome_whatever_is_lost(encoder: Encoder) -> None:
    for lost in (GROUP, GROUP + 1, GROUP + 4):
        numbers = [number for number in range(FRAMES) if number != lost]
        outcomes = decoded(records(encoder, numbers))
        assert sorted(outcome.record.frame.seq for outcome in outcomes) == numbers
        assert_whole(outcomes, encoder)
        assert {item.error.reason for item in outcomes if item.error is not None} == {"unproven"}


def test_a_lost_keyframe_costs_its_group_and_the_outcomes_say_why() -> None:
    outcomes = decoded(records(PLAIN_264, [*range(10), *range(11, 30)]))
    assert inspected(outcomes) == [*range(10), *range(20, 30)]
    assert set(reasons(outcomes).values()) == {"the numbers from 10 to 10 are missing"}


@pytest.mark.parametrize("encoder", [PLAIN_264, PLAIN_265, OPEN_264, OPEN_265], ids=["h264", "h265", "open", "open265"])
def test_a_frame_that_ingest_calls_incomplete_costs_its_group(encoder: Encoder) -> None:
    given = records(encoder)
    given[12] = replace(given[12], frame=given[12].frame.model_copy(update={"gap": "2 packets are missing"}))
    outcomes = decoded(given)
    assert reasons(outcomes)[12] == "2 packets are missing"
    assert len(outcomes) == FRAMES
    assert set(range(35, FRAMES)) <= set(inspected(outcomes))


def test_a_picture_whose_last_slice_is_missing_spoils_all_that_refers_to_it() -> None:
    """Even B-frames that come out before it."""
    encoder = replace(B_FRAMES_264, options=B_FRAMES_264.options + ":slices=2")
    given = records(encoder)
    for broken in range(GROUP, GROUP + 6):
        parts = split(given[broken].frame.payload)
        parts.remove([part for part in parts if part[0] & 31 in (1, 5)][-1])
        spoiled = given[broken].frame.model_copy(update={"payload": join(parts)})
        outcomes = decoded([*given[:broken], replace(given[broken], frame=spoiled), *given[broken + 1 :]])
        assert_whole(outcomes, encoder)
        assert broken not in inspected(outcomes)
        assert sorted(outcome.record.frame.seq for outcome in outcomes) == list(range(FRAMES))
        assert set(range(2 * GROUP, FRAMES)) <= set(inspected(outcomes))


def test_a_frame_that_comes_twice_disturbs_nothing() -> None:
    given = records(PLAIN_264)
    outcomes = decoded([*given[:15], given[14], given[13], *given[15:]])
    assert inspected(outcomes) == list(range(FRAMES))
    assert reasons(outcomes) == {13: "it came twice", 14: "it came twice"}


def test_units_that_are_not_due_are_decoded_for_those_that_are() -> None:
    camera = stream(PLAIN_264)
    given = records(PLAIN_264, range(4, FRAMES, 5))
    for place, record in enumerate(given):
        units = camera.units[5 * place : 5 * place + 5]
        fields = {"seq": place, "payload": b"".join(units), "units": tuple(map(len, units))}
        given[place] = VideoRecord(record.frame.model_copy(update=fields), 100 + place)
    outcomes = decoded(given)
    assert inspected(outcomes) == list(range(10))
    for place, outcome in enumerate(outcomes):
        assert outcome.picture is not None
        np.testing.assert_array_equal(outcome.picture.pixels, camera.pictures[5 * place + 4])


def test_a_stale_frame_is_decoded_for_the_others_and_has_no_picture() -> None:
    given = records(PLAIN_264)
    given[5] = replace(given[5], stale=True)
    outcomes = decoded(given)
    assert inspected(outcomes) == [number for number in range(FRAMES) if number != 5]
    assert (outcomes[5].picture, outcomes[5].error) == (None, None)
    assert_whole(outcomes, PLAIN_264)


def test_a_picture_is_cropped_and_shrunk_as_ingest_would_have() -> None:
    (outcome,) = decoded(records(PLAIN_264, [0], roi=(10, 20, 100, 80), longest_side=50))
    assert outcome.picture is not None
    assert (outcome.picture.width, outcome.picture.height) == (50, 40)
    assert outcome.picture.pixels.shape == (40, 50, 3)


def test_a_roi_outside_the_picture_is_named_and_breaks_no_group() -> None:
    outcomes = decoded(records(PLAIN_264, range(3), roi=(0, 0, 1000, 10)))
    assert "lies outside the picture of 160x128" in reasons(outcomes)[2]


@pytest.mark.parametrize("turn", [3, 6])
def test_a_camera_that_hangs_on_its_side_is_turned(turn: int) -> None:
    (outcome,) = decoded(records(PLAIN_264, [0], turn=turn))
    assert outcome.picture is not None
    assert outcome.picture.width == (HEIGHT if turn == 6 else WIDTH)


OTHER_SETS = {
    "size": Encoder(X264, PLAIN_264.options, frames=20, size=(96, 80)),
    "entropy coding": Encoder(X264, f"{PLAIN_264.options}:cabac=0", frames=20),
    "references": Encoder(X264, f"{PLAIN_264.options}:ref=1:weightp=0", frames=20),
}
"""What changes. The parameter sets have the same numbers as those before."""
other_sets = pytest.mark.parametrize("other", OTHER_SETS.values(), ids=OTHER_SETS)


def followed_by(other: Encoder) -> list[VideoRecord]:
    """25 frames of one stream, and 20 of another one behind them."""
    moved = [
        VideoRecord(record.frame.model_copy(update={"seq": 25 + number}), 200 + number)
        for number, record in enumerate(records(other, range(20)))
    ]
    return [*records(PLAIN_264, range(25)), *moved]


def parameter_sets(encoder: Encoder) -> list[bytes]:
    return [part for part in split(stream(encoder).units[0]) if part[0] & 31 in (7, 8)]


@other_sets
def test_parameter_sets_may_change_with_a_keyframe(other: Encoder) -> None:
    assert parameter_sets(other) != parameter_sets(PLAIN_264)
    outcomes = decoded(followed_by(other))
    assert inspected(outcomes) == list(range(45))
    assert_whole(outcomes[:25], PLAIN_264)
    for number, outcome in enumerate(outcomes[25:]):
        assert outcome.picture is not None
        np.testing.assert_array_equal(outcome.picture.pixels, stream(other).pictures[number])


@other_sets
def test_a_change_of_parameter_sets_whose_keyframe_is_lost_is_not_decoded_by_the_old_ones(other: Encoder) -> None:
    log = followed_by(other)
    outcomes = decoded(log[:25] + log[26:])
    assert inspected(outcomes) == [*range(25), *range(35, 45)]


def test_a_group_of_10_s_is_inspected_as_a_whole_and_lost_from_its_first_gap_on() -> None:
    options = "keyint=250:min-keyint=250:bframes=3:b-adapt=0:scenecut=0"
    encoder = Encoder(X264, options, frames=260, size=(64, 48))
    whole = decoded(records(encoder, range(260)))
    assert inspected(whole) == stream(encoder).shown
    assert {outcome.start for outcome in whole} == {100, 350}
    assert_whole(whole, encoder)
    log = records(encoder, range(260))
    outcomes = decoded(log[:40] + log[41:])
    assert sorted(inspected(outcomes)) == [*range(40), *range(250, 260)]
    assert_whole(outcomes, encoder)


@pytest.mark.parametrize("pixels", ["yuv422p", "yuv444p", "yuv420p10le", "yuvj420p"])
def test_other_kinds_of_samples_are_handed_on_with_8_bits(pixels: str) -> None:
    encoder = Encoder(X264 if pixels != "yuv420p10le" else X265, "keyint=5:bframes=0", frames=6, pixels=pixels)
    encoder = replace(encoder, options=PLAIN_264.options if encoder.codec == X264 else PLAIN_265.options)
    outcomes = decoded(records(encoder, range(6)))
    assert inspected(outcomes) == list(range(6))
    assert_whole(outcomes, encoder)


def test_parameter_sets_in_a_unit_of_their_own_go_with_the_next_one() -> None:
    camera = stream(PLAIN_264)
    sets = [part for part in split(camera.units[0]) if part[0] & 31 in (7, 8)]
    rest = [part for part in split(camera.units[0]) if part[0] & 31 not in (7, 8)]
    first, second = join(sets), join(rest)
    fields = {"payload": first + second, "units": (len(first), len(second))}
    given = records(PLAIN_264, range(5))
    given[0] = replace(given[0], frame=given[0].frame.model_copy(update=fields))
    assert inspected(decoded(given)) == list(range(5))


def test_a_keyframe_without_parameter_sets_uses_those_that_came_before() -> None:
    given = records(PLAIN_264, range(15))
    bare = join(part for part in split(given[10].frame.payload) if part[0] & 31 not in (7, 8))
    given[10] = replace(given[10], frame=given[10].frame.model_copy(update={"payload": bare}))
    assert inspected(decoded(given)) == list(range(15))


def test_a_record_without_a_picture_is_quarantined_and_breaks_nothing() -> None:
    given = records(PLAIN_264, range(5))
    note = given[3].frame.model_copy(update={"payload": join([b"\x06\x05\x01\x00\x80"])})
    moved = [VideoRecord(record.frame.model_copy(update={"seq": record.frame.seq + 1}), 110) for record in given[3:]]
    outcomes = decoded([*given[:3], VideoRecord(note, 103), *moved])
    assert reasons(outcomes) == {3: "there is no picture in it"}
    assert inspected(outcomes) == [0, 1, 2, 4, 5]


def test_a_damaged_record_is_poison_of_its_own_and_its_group_is_unproven() -> None:
    given = records(PLAIN_264, range(20))
    given[3] = replace(given[3], frame=given[3].frame.model_copy(update={"corrupt": True, "damage": "3 packets"}))
    outcomes = decoded(given)
    assert [(item.error.reason, str(item.error)) for item in outcomes[3:5] if item.error is not None] == [
        ("undecodable", "3 packets"),
        ("unproven", "3 packets"),
    ]
    assert inspected(outcomes) == [0, 1, 2, *range(10, 20)]


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (PictureLimits(100, 1_000_000), "bytes, worker.max_frame_bytes is 100"),
        (PictureLimits(1_000_000, 100), "160x128 pixels, worker.max_frame_pixels is 100"),
    ],
)
def test_what_is_too_large_is_refused_before_it_is_decoded(limits: PictureLimits, words: str) -> None:
    opened: list[str] = []

    class NoDecoder(GroupDecoder):
        def feed(self, unit: bytes, number: int) -> list[DecodedUnit]:
            opened.append("fed")
            return super().feed(unit, number)

    outcomes = decoded(records(PLAIN_264, [0]), at=CameraStream(limits, FakeClock(), NoDecoder))
    assert words in reasons(outcomes)[0]
    assert outcomes[0].error is not None
    assert outcomes[0].error.reason == "too_large"
    assert opened == []


def test_a_decoder_that_leaves_a_picture_out_holds_nothing_up_for_long() -> None:
    class Forgetful(GroupDecoder):
        def feed(self, unit: bytes, number: int) -> list[DecodedUnit]:
            return [picture for picture in super().feed(unit, number) if picture.number != 102 * UNITS]

    encoder = replace(PLAIN_264, frames=120, options="keyint=60:min-keyint=60:bframes=0:scenecut=0")
    outcomes = decoded(records(encoder, range(120)), at=CameraStream(LIMITS, FakeClock(), Forgetful))
    assert sorted(outcome.record.frame.seq for outcome in outcomes) == list(range(120))
    assert reasons(outcomes)[2] == "the decoder gave no picture"
    assert set(range(60, 120)) <= set(inspected(outcomes))


def test_a_decoder_that_fails_outright_refuses_what_it_had() -> None:
    camera = CameraStream(LIMITS, FakeClock())
    given = records(B_FRAMES_264)
    before = decoded(given[:5], at=camera, end=False)
    refused = camera.refuse(given[5:7], PoisonError("undecodable", "the decoder failed"))
    after = decoded(given[7:], at=camera)
    assert sorted(outcome.record.frame.seq for outcome in [*before, *refused, *after]) == list(range(FRAMES))
    assert inspected(after) == [number for number in stream(B_FRAMES_264).shown if number >= GROUP]


def test_what_the_decoder_holds_back_is_known_with_where_its_decoding_begins() -> None:
    camera = CameraStream(LIMITS, FakeClock())
    decoded(records(B_FRAMES_264, range(12)), at=camera, end=False)
    assert camera.start == 110
    assert all(start in (100, 110) for start, _ in camera.held)
    assert camera.held


@pytest.mark.parametrize("encoder", [PLAIN_264, PLAIN_265, REFRESH_264], ids=["h264", "h265", "refresh"])
def test_the_health_of_its_pictures_is_judged_by_the_rules_of_its_frames(encoder: Encoder) -> None:
    """A threshold above all levels makes every picture dark."""
    rules = '{"dark_level": 255, "hold_s": 0.2}'
    camera = CameraStream(LIMITS, FakeClock())
    outcomes = decoded(records(encoder, health_rules=rules), at=camera)
    assert {outcome.health for outcome in outcomes} == {"dark"}
    assert camera.health.camera == "dark"


@pytest.mark.parametrize("rules", [None, '{"enabled": false}', "{", '{"unknown": 1}'])
def test_without_rules_nobody_judges(rules: str | None) -> None:
    assert {outcome.health for outcome in decoded(records(PLAIN_264, range(12), health_rules=rules))} == {None}
