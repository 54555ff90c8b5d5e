"""A worker's cameras with video, side by side: what is published of them, when, and what a successor needs."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from andon.errors import FatalError, QuarantineReason
from andon.events import CameraRefused, RecordQuarantined
from andon.messages import CameraState, CameraStatus, ExpiredRange, Frame, Inspection, Message, ShedRange
from andon.pictures.picture import PictureLimits
from andon.stream.step import Cut
from andon.wire import Record
from tests.cards import NEAR, card_in_memory
from tests.detectors import FakeDetector, on_host
from tests.fakes import START, MemoryPublisher
from tests.unit.workers.rig import FRAMES, LANE, Worker, frame, record_of, worker
from tests.video_units import B_FRAMES_264, GROUP, HEIGHT, OPEN_264, PLAIN_264, STREAMS, WIDTH, Encoder, stream
from tests.video_units import FRAMES as COUNT
from workers.decoding.place import DecodingPlace
from workers.decoding.sessions import KEPT_S
from workers.detector import Picture

LIMITS = PictureLimits(1_000_000, 1_000_000)


class Watching(FakeDetector):
    """Keeps the pictures that it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[Picture] = []
        self.shown: list[NDArray[np.uint8]] = []

    def detect(self, pictures: Sequence[Picture]) -> Any:
        self.given += pictures
        self.shown += [on_host(picture).copy() for picture in pictures]
        return super().detect(pictures)


@asynccontextmanager
async def running(detector: FakeDetector | None = None, **options: Any) -> AsyncIterator[Worker]:
    async with worker(detector, limits=LIMITS, **options) as at:
        yield at


def video(encoder: Encoder, number: int, camera: str = "cam", **fields: Any) -> Frame:
    of = stream(encoder)
    at_s = of.order[number] / 25
    given = {
        "content_type": of.content_type,
        "payload": of.units[number],
        "captured_at": START + timedelta(seconds=at_s),
        "media_time_s": at_s,
        "width": WIDTH,
        "height": HEIGHT,
    }
    return frame(fields.pop("seq", number), camera, **(given | fields))


def status(
    captured: int,
    state: CameraState = "online",
    camera: str = "cam",
    at_s: float = 0.0,
    *,
    session: str = "s",
    final: bool = False,
) -> CameraStatus:
    at = START + timedelta(seconds=at_s)
    return CameraStatus(camera_id=camera, session=session, state=state, captured=captured, final=final, at=at)


def submit(at: Worker, messages: Iterable[tuple[int, Message]]) -> None:
    """By offset."""
    for offset, message in messages:
        at.submit(record_of(message, offset))


def outcomes(at: Worker, camera: str = "cam") -> list[tuple[int, str]]:
    return [(item.seq, item.reason or item.outcome) for item in at.inspections if item.camera_id == camera]


@pytest.mark.parametrize("encoder", STREAMS.values(), ids=STREAMS)
async def test_the_model_sees_each_frame_as_a_plain_decode_gives_it(encoder: Encoder) -> None:
    detector = Watching()
    async with running(detector, batch_size=1) as at:
        submit(at, [(100 + number, video(encoder, number)) for number in range(COUNT)])
        submit(at, [(300, status(COUNT, final=True))])
        await at.finish()
    assert [item.seq for item in at.inspections] == stream(encoder).shown
    assert {item.outcome for item in at.inspections} == {"inspected"}
    expected = [stream(encoder).pictures[number] for number in stream(encoder).shown]
    np.testing.assert_array_equal(np.stack(detector.shown), np.stack(expected))
    assert sorted(at.done) == [*range(100, 100 + COUNT), 300]
    assert isinstance(at.published[-1], CameraStatus), "the end of the session comes after all of its frames"


@pytest.mark.parametrize("encoder", [B_FRAMES_264, STREAMS["h265"]], ids=["h264", "h265"])
async def test_pictures_go_from_a_card_to_the_model_and_no_pixel_to_the_host(encoder: Encoder) -> None:
    detector = Watching()
    async with running(detector, place=card_in_memory().place) as at:
        submit(at, [(100 + number, video(encoder, number)) for number in range(COUNT)])
        submit(at, [(300, status(COUNT, final=True))])
        await at.finish()
    assert [item.seq for item in at.inspections] == stream(encoder).shown
    assert {(item.outcome, item.width, item.height) for item in at.inspections} == {("inspected", WIDTH, HEIGHT)}
    assert not any(isinstance(picture, np.ndarray) for picture in detector.given)
    for ours, number in zip(detector.shown, stream(encoder).shown, strict=True):
        assert np.abs(ours.astype(int) - stream(encoder).pictures[number]).max() <= NEAR


async def test_a_card_that_fails_ends_the_worker_and_quarantines_nothing() -> None:
    class Broken:
        def of(self, *_: object) -> Any:
            raise FatalError("GPU 0 fails: an illegal memory access")

    memory = MemoryPublisher()

    async def inspected() -> None:
        async with running(place=DecodingPlace(pictures=Broken), publisher=memory) as at:
            submit(at, [(number, video(PLAIN_264, number)) for number in range(3)])
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as caught:
        await inspected()
    assert caught.group_contains(FatalError, match="GPU 0 fails")
    assert memory.topics == {}


async def test_an_inspection_names_its_keyframes_record() -> None:
    async with running() as at:
        submit(at, [(100 + number, video(PLAIN_264, number)) for number in range(25)])
        await at.finish()
    for item in at.inspections:
        assert item.keyframe is not None
        assert (item.keyframe.topic, item.keyframe.partition) == (FRAMES, 0)
        assert item.keyframe.offset == 100 + item.seq - item.seq % GROUP


async def test_frames_that_are_not_proven_are_accounted_for_and_fill_no_quarantine() -> None:
    async with running(limit=3) as at:
        submit(at, [(number, video(PLAIN_264, number)) for number in range(COUNT) if number != GROUP])
        await at.finish()
    unproven: QuarantineReason = "unproven"
    assert outcomes(at) == [
        (number, unproven if GROUP < number < 2 * GROUP else "inspected") for number in range(COUNT) if number != GROUP
    ]
    assert list(at.quarantine) == []
    assert at.events.of(CameraRefused) == []
    assert len(at.events.of(RecordQuarantined)) == GROUP - 1


async def test_a_worker_that_takes_over_in_the_middle_of_a_group_is_not_alarmed() -> None:
    async with running() as at:
        submit(at, [(number, video(PLAIN_264, number)) for number in range(4, 15)])
        await at.finish()
    assert outcomes(at) == [(number, "unproven" if number < GROUP else "inspected") for number in range(4, 15)]
    assert at.events.of(RecordQuarantined) == []


async def test_cameras_of_one_partition_have_streams_of_their_own() -> None:
    cameras = {"one": PLAIN_264, "two": B_FRAMES_264, "three": OPEN_264}
    async with running() as at:
        log = [(camera, number) for number in range(COUNT) for camera in cameras]
        submit(at, [(place, video(cameras[camera], number, camera)) for place, (camera, number) in enumerate(log)])
        submit(at, [(900 + place, status(COUNT, camera=camera, final=True)) for place, camera in enumerate(cameras)])
        await at.finish()
    for camera, encoder in cameras.items():
        assert outcomes(at, camera) == [(number, "inspected") for number in stream(encoder).shown]


async def test_many_cameras_that_hold_frames_back_leave_room_for_each_other() -> None:
    """Each decoder keeps frames for their order: more of them than pictures may wait for the model."""
    cameras = [f"cam-{number}" for number in range(8)]
    async with running(ahead=2) as at:
        log = [(camera, number) for number in range(6) for camera in cameras]
        submit(at, [(place, video(B_FRAMES_264, number, camera)) for place, (camera, number) in enumerate(log)])
        await at.finish()
        assert sorted(at.done) == list(range(len(log))), "what is held back is done with, and the commit waits for it"
        assert len(at.inspections) < len(log)
        assert at.lanes[LANE].needed_from == 0


async def test_the_commit_waits_at_the_keyframe_of_the_oldest_group() -> None:
    async with running() as at:
        lane = at.lanes[LANE]
        assert lane.needed_from is None
        submit(at, [(0, frame(0, "jpegs"))])
        await at.finish()
        assert lane.needed_from is None, "pictures need nothing"
        submit(at, [(1 + number, video(PLAIN_264, number)) for number in range(15)])
        await at.finish()
        assert lane.needed_from == 1 + GROUP
        submit(at, [(20 + number, video(PLAIN_264, number, "other")) for number in range(3)])
        submit(at, [(30 + number, video(PLAIN_264, number)) for number in range(15, 25)])
        await at.finish()
        assert lane.needed_from == 20
        submit(at, [(60, status(3, camera="other", final=True))])
        await at.finish()
        assert lane.needed_from == 30 + 2 * GROUP, "a session that has ended needs nothing"


async def test_an_open_group_needs_the_one_before_it_until_it_stands_alone() -> None:
    shown = stream(OPEN_264)
    keyframe = next(number for number in range(1, COUNT) if shown.order[number] == GROUP)
    async with running() as at:
        submit(at, [(number, video(OPEN_264, number)) for number in range(keyframe + 2)])
        await at.finish()
        assert at.lanes[LANE].needed_from == 0
        submit(at, [(number, video(OPEN_264, number)) for number in range(keyframe + 2, keyframe + 9)])
        await at.finish()
        assert at.lanes[LANE].needed_from == keyframe


async def test_a_camera_that_falls_silent_holds_the_commit_for_a_while_and_loses_no_frame() -> None:
    async with running() as at:
        submit(at, [(number, video(B_FRAMES_264, number)) for number in range(7)])
        await at.finish()
        before = len(at.inspections)
        assert before < 7
        at.later(61.0)
        held = at.lanes[LANE].needed_from
        assert held is not None, "frames that no inspection names yet are still needed"
        assert held >= before
        await at.finish()
        assert [seq for seq, _ in outcomes(at)] == sorted(range(7), key=stream(B_FRAMES_264).order.__getitem__)
        assert at.lanes[LANE].needed_from is None


async def test_a_camera_whose_frames_wait_in_a_spool_goes_on_where_it_stood() -> None:
    async with running() as at:
        submit(at, [(number, video(PLAIN_264, number)) for number in range(3)])
        await at.finish()
        at.later(KEPT_S)
        assert at.lanes[LANE].needed_from is None
        await at.finish()
        submit(at, [(number, video(PLAIN_264, number)) for number in range(3, 6)])
        await at.finish()
    assert outcomes(at) == [(number, "inspected") for number in range(6)]


async def test_a_camera_that_stays_away_loses_its_decoder() -> None:
    async with running() as at:
        submit(at, [(number, video(PLAIN_264, number)) for number in range(3)])
        await at.finish()
        at.later(KEPT_S + 1)
        assert at.lanes[LANE].needed_from is None
        await at.finish()
        submit(at, [(number, video(PLAIN_264, number)) for number in range(3, GROUP + 1)])
        await at.finish()
    unproven = [(number, "unproven") for number in range(3, GROUP)]
    assert outcomes(at) == [*((number, "inspected") for number in range(3)), *unproven, (GROUP, "inspected")]


async def test_where_decoders_are_few_a_silent_camera_makes_room() -> None:
    async with running(max_decoders=1) as at:
        submit(at, [(number, video(PLAIN_264, number, "one")) for number in range(3)])
        await at.finish()
        at.later(61.0)
        assert at.lanes[LANE].needed_from is None
        await at.finish()
        submit(at, [(10 + number, video(PLAIN_264, number, "two")) for number in range(3)])
        await at.finish()
    assert outcomes(at, "two") == [(number, "inspected") for number in range(3)]


async def test_a_group_without_an_end_holds_the_commit_only_for_a_while() -> None:
    async with running() as at:
        submit(at, [(number, video(PLAIN_264, number)) for number in range(4)])
        await at.finish()
        at.later(61.0)
        submit(at, [(number, video(PLAIN_264, number)) for number in range(4, 8)])
        await at.finish()
        assert at.lanes[LANE].needed_from is None
        assert {reason for _, reason in outcomes(at)} == {"inspected"}, "the decoder itself goes on"


async def test_a_successor_that_begins_at_the_commit_inspects_what_was_not_published() -> None:
    """The partition goes while frames are held back: each frame is inspected by one of the two."""
    log = [(number, video(B_FRAMES_264, number)) for number in range(COUNT)]
    async with running() as first:
        submit(first, log[:26])
        await first.finish()
        needed = first.lanes[LANE].needed_from
        first.lanes[LANE].discard()
    assert needed is not None
    async with running() as second:
        submit(second, [*log[needed:], (900, status(COUNT, final=True))])
        await second.finish()
    inspected = {seq for seq, reason in [*outcomes(first), *outcomes(second)] if reason == "inspected"}
    assert inspected == set(range(COUNT))


BY_TURNS = [PLAIN_264, B_FRAMES_264, STREAMS["h265"]]
"""Two ingest hosts send the camera: one that was cut off, from its spool, and the one that has the camera now."""


def by_turns(encoder: Encoder, numbers: range) -> list[Frame]:
    return [video(encoder, number, session=session) for number in numbers for session in ("s", "t")]


@pytest.mark.parametrize("encoder", BY_TURNS, ids=["plain", "b-frames", "h265"])
async def test_a_camera_that_two_hosts_send_by_turns_loses_no_frame(encoder: Encoder) -> None:
    detector = Watching()
    async with running(detector, batch_size=1) as at:
        submit(at, [(number, video(encoder, number)) for number in range(5)])
        submit(at, [(100 + number, video(encoder, number, session="t")) for number in range(5)])
        submit(at, enumerate(by_turns(encoder, range(5, COUNT)), 200))
        submit(at, [(900, status(COUNT, final=True)), (901, status(COUNT, session="t", final=True))])
        await at.finish()
    for session in ("s", "t"):
        numbers = [item.seq for item in at.inspections if (item.session, item.outcome) == (session, "inspected")]
        assert numbers == stream(encoder).shown
        pixels = [shown for item, shown in zip(at.inspections, detector.shown, strict=True) if item.session == session]
        np.testing.assert_array_equal(np.stack(pixels), np.stack([stream(encoder).pictures[at] for at in numbers]))


async def test_both_hosts_groups_hold_the_commit() -> None:
    async with running() as at:
        submit(at, [(number, video(PLAIN_264, number)) for number in range(3)])
        submit(at, [(100 + number, video(PLAIN_264, number, session="t")) for number in range(GROUP + 2)])
        await at.finish()
        assert at.lanes[LANE].needed_from == 0
        submit(at, [(200, status(3, final=True))])
        await at.finish()
        assert at.lanes[LANE].needed_from == 100 + GROUP


async def test_what_a_host_that_is_gone_has_left_in_the_decoder_comes_out_while_another_one_sends() -> None:
    async with running() as at:
        submit(at, [(number, video(B_FRAMES_264, number)) for number in range(7)])
        await at.finish()
        assert len(at.inspections) < 7
        at.later(61.0)
        submit(at, [(100 + number, video(PLAIN_264, number, session="t")) for number in range(3)])
        await at.finish()
        assert at.lanes[LANE].needed_from == 100
    assert [item.seq for item in at.inspections if item.session == "s"] == sorted(
        range(7), key=stream(B_FRAMES_264).order.__getitem__
    )
    assert {item.outcome for item in at.inspections} == {"inspected"}


async def test_a_third_session_takes_the_place_of_the_one_that_was_silent_longest() -> None:
    async with running() as at:
        for place, session in enumerate(("s", "t", "u")):
            at.later(1.0)
            submit(at, [(10 * place + number, video(PLAIN_264, number, session=session)) for number in range(3)])
            await at.finish()
        submit(at, [(100 + place, video(PLAIN_264, 3, session=session)) for place, session in enumerate(("u", "t"))])
        await at.finish()
        submit(at, [(200, video(PLAIN_264, 3))])
        await at.finish()
    assert [(item.session, item.reason or item.outcome) for item in at.inspections[-3:]] == [
        ("u", "inspected"),
        ("t", "inspected"),
        ("s", "unproven"),
    ]


async def test_a_decoder_of_a_session_before_makes_room_for_another_camera() -> None:
    async with running(max_decoders=2) as at:
        submit(at, [(number, video(PLAIN_264, number, "one")) for number in range(3)])
        submit(at, [(10 + number, video(PLAIN_264, number, "one", session="t")) for number in range(3)])
        submit(at, [(20 + number, video(PLAIN_264, number, "two")) for number in range(3)])
        submit(at, [(30 + number, video(PLAIN_264, number, "three")) for number in range(3)])
        await at.finish()
        submit(at, [(40, video(PLAIN_264, 3, "one"))])
        await at.finish()
    assert outcomes(at, "two") == [(number, "inspected") for number in range(3)]
    assert outcomes(at, "three") == [(number, "unproven") for number in range(3)]
    assert outcomes(at, "one")[3:] == [*((number, "inspected") for number in range(3)), (3, "unproven")]


async def test_a_hole_in_the_log_breaks_the_group_and_is_reported_before_the_next_frame() -> None:
    async with running(cuts={LANE: Cut(range(3, 5), 5)}) as at:
        submit(at, [(5 + number, video(PLAIN_264, number)) for number in range(12)])
        await at.finish()
    assert isinstance(at.published[0], ExpiredRange)
    assert outcomes(at) == [(number, "inspected") for number in range(12)]


async def test_shed_frames_come_after_those_before_them_and_cost_the_rest_of_their_group() -> None:
    gone = ShedRange(camera_id="cam", session="s", first_seq=6, last_seq=7, reason="mailbox_full", at=START)
    async with running() as at:
        submit(at, [(number, video(B_FRAMES_264, number)) for number in range(6)])
        submit(at, [(6, gone)])
        submit(at, [(number, video(B_FRAMES_264, number)) for number in range(8, 15)])
        await at.finish()
    place = next(number for number, message in enumerate(at.published) if isinstance(message, ShedRange))
    before = [message.seq for message in at.published[:place] if isinstance(message, Inspection)]
    assert sorted(before) == list(range(6))
    assert outcomes(at)[6:8] == [(8, "unproven"), (9, "unproven")]


async def test_pictures_between_video_and_records_that_nobody_can_read_keep_the_order() -> None:
    broken = Record(FRAMES, 0, 3, 0, b"cam", b"", [("ce_type", b"?")])
    async with running() as at:
        submit(at, [(number, video(PLAIN_264, number)) for number in range(3)])
        at.submit(broken)
        submit(at, [(4, frame(3)), (5, video(PLAIN_264, 4)), (6, video(PLAIN_264, 10, seq=5))])
        await at.finish()
    assert outcomes(at) == [
        (0, "inspected"),
        (1, "inspected"),
        (2, "inspected"),
        (3, "inspected"),
        (4, "unproven"),
        (5, "inspected"),
    ]
    assert len(at.quarantine) == 1


async def test_a_stale_frame_is_shed_and_the_ones_after_it_are_whole() -> None:
    detector = Watching()
    async with running(detector) as at:
        at.later(100.0)
        old, fresh = video(PLAIN_264, 0, max_age_s=5.0), video(PLAIN_264, 1, max_age_s=500.0)
        submit(at, [(0, old), (1, fresh)])
        await at.finish()
    assert outcomes(at) == [(0, "stale"), (1, "inspected")]
    np.testing.assert_array_equal(detector.shown[0], stream(PLAIN_264).pictures[1])


async def test_cameras_beyond_the_limit_of_decoders_are_unproven_until_one_is_free() -> None:
    async with running(max_decoders=1) as at:
        submit(at, [(number, video(PLAIN_264, number, "one")) for number in range(3)])
        await at.finish()
        submit(at, [(10 + number, video(PLAIN_264, number, "two")) for number in range(3)])
        await at.finish()
        submit(at, [(20, status(3, camera="one", final=True))])
        await at.finish()
        submit(at, [(30 + number, video(PLAIN_264, number, "two")) for number in range(3, 15)])
        await at.finish()
    assert outcomes(at, "one") == [(number, "inspected") for number in range(3)]
    assert outcomes(at, "two") == [(number, "unproven" if number < GROUP else "inspected") for number in range(15)]


async def test_heartbeats_after_a_sessions_end_keep_no_decoder_open() -> None:
    async with running(max_decoders=1) as at:
        frames = [(number, video(PLAIN_264, number, "one")) for number in range(3)]
        ends = [(3, status(3, camera="one", final=True)), (4, status(3, "offline", camera="one", at_s=1))]
        at.submit(*(record_of(message, offset) for offset, message in [*frames, *ends]))
        await at.finish()
        submit(at, [(10 + number, video(PLAIN_264, number, "two")) for number in range(3)])
        await at.finish()
    assert outcomes(at, "two") == [(number, "inspected") for number in range(3)]


async def test_the_camera_states_what_the_worker_sees_in_its_pictures() -> None:
    rules = '{"dark_level": 255, "hold_s": 0.1}'
    async with running() as at:
        frames = [video(PLAIN_264, number, health_rules=rules) for number in range(10)]
        submit(at, [(0, frames[0]), (1, status(1)), *((1 + number, frames[number]) for number in range(1, 10))])
        await at.finish()
        submit(
            at, [(20, status(10, at_s=5)), (21, status(10, "offline", at_s=6)), (22, status(10, at_s=7, final=True))]
        )
        await at.finish()
    statuses = [message for message in at.published if isinstance(message, CameraStatus)]
    assert [item.state for item in statuses] == ["online", "dark", "dark", "offline", "dark"]
    assert statuses[1].detail == "the picture is dark"
    assert statuses[0].at < statuses[1].at < statuses[2].at
    assert {item.health for item in at.inspections} == {"dark"}


async def test_a_failing_decoder_costs_what_it_had_and_no_other_camera() -> None:
    async with running() as at:
        odd = video(PLAIN_264, 3, "odd", payload=b"\0\0\0\1" + bytes(200))
        submit(at, [(number, video(PLAIN_264, number, "odd")) for number in range(3)])
        submit(at, [(3, odd), *((10 + number, video(PLAIN_264, number, "good")) for number in range(5))])
        submit(at, [(20 + number, video(PLAIN_264, number, "odd")) for number in range(4, 15)])
        await at.finish()
    assert outcomes(at, "good") == [(number, "inspected") for number in range(5)]
    assert outcomes(at, "odd")[3:] == [
        (number, "unproven" if number < GROUP else "inspected") for number in range(3, 15)
    ]


async def test_a_partition_that_is_discarded_gives_its_places_back() -> None:
    async with running(ahead=1) as at:
        submit(at, [(number, video(PLAIN_264, number)) for number in range(20)])
        at.lanes[LANE].discard()
        await asyncio.sleep(0)
        other = [record_of(video(PLAIN_264, number, "other"), number, 1) for number in range(5)]
        at.submit(*other, partition=1)
        await at.finish(*[lane for lane in at.lanes if lane != LANE])
    assert outcomes(at, "other") == [(number, "inspected") for number in range(5)]
