import asyncio
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import cv2
import pytest

from andon.errors import FatalError
from andon.events import BatchInferred, CameraRefused, FrameInspected, FramesShed, RecordQuarantined, Retrying
from andon.messages import CameraStatus, ExpiredRange, Inspection, Message, RecordRef, ShedRange
from andon.stream.offsets import Partition
from andon.stream.step import Cut, Delivery
from andon.wire import Record
from tests.detectors import FAKE_INFO, FakeDetector, brightness, grey
from tests.fakes import START, MemoryPublisher
from tests.unit.workers.rig import FRAMES, LANE, SECOND, frame, jpeg, record_of, worker
from workers.detector import Picture


def outcomes(inspections: Sequence[Inspection]) -> list[tuple[int, str, str | None]]:
    return [(item.seq, item.outcome, item.reason) for item in inspections]


def fails_above(level: int) -> FakeDetector:
    def before(pictures: Sequence[Picture]) -> None:
        if any(brightness(picture) > level for picture in pictures):
            raise RuntimeError("first line\nout of memory")

    return FakeDetector(before)


async def test_a_frame_becomes_an_inspection_with_the_models_detections_and_the_place_of_the_frame() -> None:
    async with worker() as running:
        running.submit(frame(0, payload=jpeg(200), width=1, height=1, part_id="p7", media_time_s=0.5))
        await running.finish()
    (inspection,) = running.inspections
    (detection,) = inspection.detections
    assert (inspection.outcome, inspection.model, inspection.runtime) == ("inspected", FAKE_INFO.digest, "fake")
    assert (inspection.width, inspection.height) == (64, 48), "the picture's own size, not what the record says"
    assert (detection.label, round(detection.confidence * 255)) == ("bright", 200)
    assert (detection.box.x2, detection.box.y2) == (64, 48)
    assert inspection.frame == RecordRef(topic=FRAMES, partition=0, offset=0)
    assert (inspection.part_id, inspection.media_time_s, inspection.timings.batch_size) == ("p7", 0.5, 1)
    assert running.done == [0]


async def test_detections_are_in_the_frames_pixels_though_it_was_decoded_at_half_size() -> None:
    large = cv2.imencode(".jpg", grey(200, (150, 201)))[1].tobytes()
    looked_at: list[tuple[int, ...]] = []
    detector = FakeDetector(lambda pictures: looked_at.extend(picture.shape for picture in pictures))
    async with worker(detector) as running:
        running.submit(frame(0, payload=large))
        await running.finish()
    (inspection,) = running.inspections
    assert looked_at == [(75, 101, 3)]
    assert (inspection.width, inspection.height) == (201, 150)
    box = inspection.detections[0].box
    assert (box.x1, box.y1, box.x2, box.y2) == (0, 0, 201, 150)


async def test_a_picture_that_is_unfit_for_a_verdict_is_inspected_and_its_inspection_says_why() -> None:
    async with worker() as running:
        running.submit(frame(0, payload=jpeg(200), health="blurred"), frame(1))
        await running.finish()
    assert [(item.outcome, item.health) for item in running.inspections] == [
        ("inspected", "blurred"),
        ("inspected", None),
    ]
    assert running.inspections[0].detections


async def test_inspections_are_published_in_the_order_of_the_frames() -> None:
    async with worker() as running:
        running.submit(*(frame(seq, payload=jpeg(seq * 4)) for seq in range(40)))
        await running.finish()
    assert [item.seq for item in running.inspections] == list(range(40))
    levels = [item.detections[0].confidence * 255 for item in running.inspections]
    assert levels == pytest.approx([seq * 4 for seq in range(40)], abs=1.5)
    assert running.done == list(range(40))


async def test_sheds_and_camera_records_pass_on_unchanged_in_their_place() -> None:
    shed = ShedRange(camera_id="cam", session="s", first_seq=1, last_seq=3, reason="mailbox_full", at=START)
    status = CameraStatus(camera_id="cam", session="s", state="online", captured=6, at=START)
    async with worker() as running:
        running.submit(frame(0), shed, frame(4), status, frame(5))
        await running.finish()
    kinds = [type(message).__name__ for message in running.published]
    assert kinds == ["Inspection", "ShedRange", "Inspection", "CameraStatus", "Inspection"]
    assert running.published[1] == shed
    sent, original = running.publisher.topics["andon.inspections"][3], record_of(status, 3)
    assert (sent.key, sent.value, tuple(sent.headers)) == (original.key, original.value, tuple(original.headers))


async def test_a_record_that_needs_no_detector_does_not_overtake_one_that_does() -> None:
    entered, released = threading.Event(), threading.Event()

    def before(pictures: Sequence[Picture]) -> None:
        entered.set()
        wait(released)

    async with worker(FakeDetector(before)) as running:
        running.submit(frame(0), frame(1, payload=b""), frame(2, corrupt=True), frame(3))
        await asyncio.to_thread(wait, entered)
        assert running.publisher.topics == {}
        released.set()
        await running.finish()
    assert outcomes(running.inspections) == [
        (0, "inspected", None),
        (1, "quarantined", "undecodable"),
        (2, "quarantined", "undecodable"),
        (3, "inspected", None),
    ]


def wait(event: threading.Event) -> None:
    assert event.wait(60)


async def test_a_frame_that_cannot_be_decoded_is_quarantined_and_the_others_are_inspected() -> None:
    bad = {1: jpeg()[:-20], 2: b"", 3: b"not a picture", 4: bytes(100_001)}
    async with worker() as running:
        running.submit(*(frame(seq, payload=bad.get(seq, jpeg())) for seq in range(6)))
        await running.finish()
    reasons = [item.reason for item in running.inspections]
    assert reasons == [None, "undecodable", "undecodable", "undecodable", "too_large", None]
    assert [record.value for record in running.quarantine] == list(bad.values())
    assert [event.reason for event in running.events.of(RecordQuarantined)] == reasons[1:5]
    assert running.done == list(range(6))


async def test_a_frame_that_came_without_its_picture_is_quarantined_as_too_large_with_the_reason() -> None:
    async with worker() as running:
        running.submit(frame(0, payload=b"", corrupt=True, too_large="9 bytes: the topic takes 8"))
        await running.finish()
    assert outcomes(running.inspections) == [(0, "quarantined", "too_large")]
    assert [event.error for event in running.events.of(RecordQuarantined)] == ["9 bytes: the topic takes 8"]


async def test_a_record_with_foreign_headers_stands_only_in_quarantine() -> None:
    foreign = Record(FRAMES, 0, 1, 5, b"\xff\xfe", b"{}", (("who", b"knows"),))
    inspection = Record(FRAMES, 0, 2, *_parts(await one_inspection()))
    async with worker() as running:
        running.submit(record_of(frame(0), 0), foreign, inspection, record_of(frame(1), 3))
        await running.finish()
    assert [item.seq for item in running.inspections] == [0, 1]
    assert [record.value for record in running.quarantine] == [b"{}", inspection.value]
    assert [event.camera for event in running.events.of(RecordQuarantined)] == ["unknown", "unknown"]
    assert running.done == [0, 1, 2, 3]


async def one_inspection() -> Record:
    async with worker() as running:
        running.submit(frame(0))
        await running.finish()
    return running.publisher.topics["andon.inspections"][0]


def _parts(record: Record) -> tuple[int, bytes | None, bytes | None, Sequence[tuple[str, bytes]]]:
    return record.timestamp_ms, record.key, record.value, record.headers


async def test_only_the_frame_that_the_detector_fails_on_is_quarantined() -> None:
    async with worker(fails_above(200), batch_size=4) as running:
        running.submit(*(frame(seq, payload=jpeg(250 if seq == 2 else 50)) for seq in range(4)))
        await running.finish()
    assert outcomes(running.inspections) == [
        (0, "inspected", None),
        (1, "inspected", None),
        (2, "quarantined", "detector_error"),
        (3, "inspected", None),
    ]
    (event,) = running.events.of(RecordQuarantined)
    assert event.error == "RuntimeError: out of memory"


@pytest.mark.parametrize("batch_size", [4, 1])
async def test_a_detector_that_fails_on_everything_ends_the_worker(batch_size: int) -> None:
    with pytest.raises(BaseExceptionGroup) as caught:  # noqa: PT012 - the worker stops while it drains
        async with worker(fails_above(-1), batch_size=batch_size, limit=5) as running:
            running.submit(*(frame(seq) for seq in range(20)))
            await running.finish()
            await asyncio.Event().wait()
    fatal, rest = caught.value.split(FatalError)
    assert fatal is not None
    assert rest is None
    assert f"the model fails on each of {batch_size} pictures" in str(_leaf(fatal))
    assert running.done == []
    assert running.quarantine == []


async def test_a_batch_of_nothing_but_pictures_that_the_detector_fails_on_is_quarantined() -> None:
    async with worker(fails_above(200), batch_size=4) as running:
        running.submit(*(frame(seq, payload=jpeg(250)) for seq in range(4)))
        await running.finish()
    assert {item.reason for item in running.inspections} == {"detector_error"}
    assert running.done == list(range(4))


@pytest.mark.parametrize("bad", [{"payload": jpeg()[:-20]}, {"corrupt": True}, {"payload": jpeg(250)}])
async def test_past_its_limit_a_camera_is_reported_and_all_frames_are_accounted_for(bad: dict[str, Any]) -> None:
    frames = [frame(seq, "good") if seq % 2 else frame(seq, "bad", **bad) for seq in range(40)]
    async with worker(fails_above(200), limit=5) as running:
        running.submit(*frames)
        await running.finish()
    assert Counter((item.camera_id, item.outcome) for item in running.inspections) == {
        ("good", "inspected"): 20,
        ("bad", "quarantined"): 20,
    }
    assert [event.camera for event in running.events.of(CameraRefused)] == ["bad"]
    assert len(running.quarantine) == 20
    assert running.done == list(range(40))


async def test_a_stale_frame_is_shed_before_it_is_decoded() -> None:
    async with worker() as running:
        running.later(3.0)
        late = frame(0, max_age_s=2.0, payload=b"never looked at")
        running.submit(late, frame(1, max_age_s=2.0, captured_at=START + 2 * SECOND), frame(2))
        await running.finish()
    assert outcomes(running.inspections) == [(0, "shed", "stale"), (1, "inspected", None), (2, "inspected", None)]
    assert running.events.of(FramesShed) == [FramesShed("cam", "stale", 1, by_worker=True)]


async def test_a_frame_is_done_only_after_the_broker_has_acknowledged_its_inspection() -> None:
    async with worker() as running:
        running.publisher.away = True
        running.submit(frame(0), frame(1, payload=b""), frame(2))
        while len(running.events.of(Retrying)) < 3:
            await asyncio.sleep(0)
        assert running.done == []
        assert running.events.of(FrameInspected) == []
        running.publisher.away = False
        await running.finish()
    assert [item.seq for item in running.inspections] == [0, 1, 2]
    assert running.done == [0, 1, 2]


async def test_latency_runs_from_capture_to_the_acknowledgement() -> None:
    async with worker() as running:
        running.publisher.away = True
        running.submit(frame(0))
        while not running.events.of(Retrying):
            await asyncio.sleep(0)
        running.later(7.0)
        running.publisher.away = False
        await running.finish()
    (event,) = running.events.of(FrameInspected)
    assert (event.camera, event.detections, event.latency_s) == ("cam", 1, 7.0)


async def test_a_partition_that_is_discarded_after_a_drain_that_was_cut_off_leaves_the_others_alone() -> None:
    blocked = threading.Event()
    other = Partition(FRAMES, 1)
    async with worker(FakeDetector(lambda pictures: wait(blocked))) as running:
        running.submit(*(frame(seq) for seq in range(6)))
        running.submit(*(frame(seq, "other") for seq in range(2)), partition=1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await running.lanes[LANE].drain()
        running.lanes[LANE].discard()
        blocked.set()
        await running.finish(other)
        await running.finish()
    assert [(item.camera_id, item.seq) for item in running.inspections] == [("other", 0), ("other", 1)]
    assert running.done == [0, 1]


async def test_draining_a_partition_that_holds_nothing_returns_at_once() -> None:
    async with worker() as running:
        await running.finish()


async def test_each_batch_reports_its_size() -> None:
    detector = FakeDetector()
    async with worker(detector, batch_size=8) as running:
        running.submit(*(frame(seq) for seq in range(16)))
        await running.finish()
    assert sum(event.size for event in running.events.of(BatchInferred)) == 16
    assert max(detector.batches) <= 8


def _leaf(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def test_each_camera_learns_once_of_a_hole_in_the_log_before_its_next_record() -> None:
    records = [record_of(frame(seq, camera), seq) for seq, camera in enumerate(["one", "two", "one", "two"])]
    records.append(replace(record_of(frame(9), 4), key=b"\xff"))
    async with worker() as running:
        running.lanes[LANE].submit([Delivery(records[0], lambda: None, range(0)), Delivery(records[1], lambda: None)])
        first = Delivery(records[2], lambda: None, range(5, 8))
        running.lanes[LANE].submit([first, Delivery(records[3], lambda: None), Delivery(records[0], lambda: None)])
        running.lanes[LANE].submit([Delivery(records[4], lambda: None)])
        await running.finish()
    kinds = [(type(item).__name__, item.camera_id) for item in running.published]  # type: ignore[attr-defined]
    expired = [item for item in running.published if isinstance(item, ExpiredRange)]
    assert kinds[2:] == [
        ("ExpiredRange", "one"),
        ("Inspection", "one"),
        ("ExpiredRange", "two"),
        ("Inspection", "two"),
        ("Inspection", "one"),
    ]
    assert [(item.first_offset, item.last_offset, item.reason) for item in expired] == [(5, 7, "expired")] * 2


async def test_a_log_that_lost_its_end_is_read_on_there_and_each_camera_learns_of_it() -> None:
    async with worker(cuts={LANE: Cut(range(5, 9), 3)}) as running:
        assert running.lanes[LANE].resume_at == 3
        running.submit(frame(3), frame(4))
        await running.finish()
    kinds = [type(item).__name__ for item in running.published]
    assert kinds == ["ExpiredRange", "Inspection", "Inspection"]
    (hole,) = [item for item in running.published if isinstance(item, ExpiredRange)]
    assert (hole.first_offset, hole.last_offset, hole.reason) == (5, 8, "log_lost")


def limited(**limits: int) -> MemoryPublisher:
    """`andon.<name>` takes no value of more bytes."""
    publisher = MemoryPublisher()
    publisher.limits = {f"andon.{name}": size_bytes for name, size_bytes in limits.items()}
    return publisher


async def test_a_frame_whose_inspection_is_too_large_for_the_topic_is_quarantined() -> None:
    async with worker() as running:
        running.submit(frame(0, part_id="p"))
        await running.finish()
    size_bytes = len(running.publisher.topics["andon.inspections"][0].value or b"")
    async with worker(publisher=limited(inspections=size_bytes - 1)) as running:
        running.submit(frame(0, part_id="p"))
        await running.finish()
    assert outcomes(running.inspections) == [(0, "quarantined", "too_large")]
    assert [record.value for record in running.quarantine] == [jpeg()]
    assert [event.reason for event in running.events.of(RecordQuarantined)] == ["too_large"]
    assert running.events.of(FrameInspected) == []
    assert running.done == [0]


async def test_a_record_that_is_too_large_for_the_quarantine_is_kept_without_its_value() -> None:
    damaged = jpeg()[:-20]
    async with worker(publisher=limited(quarantine=len(damaged) - 1)) as running:
        running.submit(frame(0), frame(1, payload=damaged), frame(2))
        await running.finish()
    assert outcomes(running.inspections) == [
        (0, "inspected", None),
        (1, "quarantined", "undecodable"),
        (2, "inspected", None),
    ]
    (kept,) = running.quarantine
    assert kept.value == b""
    assert dict(kept.headers)["andon_quarantine_truncated_bytes"] == str(len(damaged)).encode()
    assert running.done == [0, 1, 2]


def appended(message: Message, offset: int, at: datetime) -> Record:
    """The record of `message` that a broker has appended at that time."""
    return replace(record_of(message, offset), timestamp_ms=round(at.timestamp() * 1000))


@pytest.mark.parametrize("ahead_s", [-60.0, -5.0, 0.0, 5.0, 60.0, -50 * 365 * 86_400.0])
async def test_whatever_a_workers_clock_shows_it_sheds_only_what_is_stale(ahead_s: float) -> None:
    async with worker() as running:
        running.clock.step(ahead_s)
        running.broker_clock.acknowledged("broker 1", running.clock.monotonic(), round(START.timestamp() * 1000))
        running.submit(
            frame(0, max_age_s=2.0, clock_offset_s=0.0, captured_at=START - SECOND),
            frame(1, max_age_s=2.0, clock_offset_s=0.0, captured_at=START - 5 * SECOND),
        )
        await running.finish()
    assert outcomes(running.inspections) == [(0, "inspected", None), (1, "shed", "stale")]


@pytest.mark.parametrize("ahead_s", [-5.0, 5.0, -50 * 365 * 86_400.0])
async def test_a_frame_whose_time_nobody_has_measured_is_as_old_as_its_record(ahead_s: float) -> None:
    async with worker() as running:
        running.broker_clock.acknowledged("broker 1", 0.0, round(START.timestamp() * 1000))
        wrong = START + timedelta(seconds=ahead_s)
        fresh, stale = (frame(seq, max_age_s=2.0, captured_at=wrong) for seq in range(2))
        running.submit(appended(fresh, 0, START - SECOND), appended(stale, 1, START - 5 * SECOND))
        await running.finish()
    assert outcomes(running.inspections) == [(0, "inspected", None), (1, "shed", "stale")]
    assert [inspection.clock_offset_s for inspection in running.inspections] == [None, None]


async def test_a_worker_that_has_sent_nothing_yet_believes_the_newest_record_more_than_its_own_clock() -> None:
    async with worker() as running:
        running.clock.step(60.0)
        running.broker_clock.read("broker 1", round(START.timestamp() * 1000))
        running.submit(frame(0, max_age_s=2.0, clock_offset_s=0.0, captured_at=START - SECOND))
        await running.finish()
    assert outcomes(running.inspections) == [(0, "inspected", None)]
