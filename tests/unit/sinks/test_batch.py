"""Records of several cameras, stepped through together."""

from collections.abc import Sequence

import pytest

from andon.messages import ExpiredRange, RecordRef
from andon.stream.offsets import Partition
from sinks.batch import OpenBatch, clip_orders
from sinks.judgement.consequences import Judgement
from sinks.judgement.state import CameraAccount, from_bytes, to_bytes
from sinks.judgement.step import AccountMessage
from sinks.store.stored import Batch, Position
from tests.fakes import START
from tests.outbox import a_part, an_order
from tests.unit.sinks.judgement.frames import DEFECT_RULES, crossing, inspected

ONE, OTHER = "press-1", "press-2"


class StoredPartition:
    """A partition's cameras. Their states are stored and read again after each batch, as by a new owner."""

    def __init__(self) -> None:
        self.cameras: dict[str, CameraAccount] = {}
        self.touched: set[str] = set()

    def take(self, *messages: AccountMessage) -> None:
        work = OpenBatch(
            (), messages, Batch(Partition("andon.inspections", 0), Position(1, "", 0), len(messages), START)
        )
        work.step(self.cameras, DEFECT_RULES, ())
        self.touched = {camera.camera_id for camera in work.batch.states}
        for camera in self.cameras.values():
            camera.state = from_bytes(to_bytes(camera.state))

    def lost(self, camera: str) -> dict[str, int]:
        return dict(self.cameras[camera].sessions["s1"].tally().lost)


def frames(*numbers: int) -> Sequence[AccountMessage]:
    """Of both cameras; number n lies at offset n."""
    return [inspected(number, camera=camera) for number in numbers for camera in (ONE, OTHER)]


def expired(camera: str, topic: str = "andon.frames", partition: int = 0) -> ExpiredRange:
    return ExpiredRange(camera_id=camera, topic=topic, partition=partition, first_offset=3, last_offset=9, at=START)


def test_an_expired_range_that_one_camera_reports_counts_for_all_cameras_before_it() -> None:
    """The worker that saw it may die before the other camera's next record, and no other worker sees it."""
    stored = StoredPartition()
    stored.take(*frames(0, 1, 2))
    stored.take(expired(ONE), inspected(10, camera=ONE))
    assert stored.touched == {ONE, OTHER}
    stored.take(inspected(12, camera=OTHER))
    assert (stored.lost(ONE), stored.lost(OTHER)) == ({"expired": 7}, {"expired": 9})


def test_a_log_that_lost_its_end_concerns_every_camera_of_its_partition() -> None:
    stored = StoredPartition()
    stored.take(*frames(0, 1, 2, 3, 4, 5))
    stored.take(expired(ONE).model_copy(update={"reason": "log_lost"}), inspected(10, camera=ONE))
    stored.take(inspected(12, camera=OTHER))
    assert (stored.lost(ONE), stored.lost(OTHER)) == ({"log_lost": 4}, {"log_lost": 6})


def test_an_expired_range_reported_again_explains_no_loss_behind_it() -> None:
    stored = StoredPartition()
    stored.take(*frames(0, 1, 2))
    stored.take(expired(ONE), *frames(10))
    stored.take(expired(ONE), *frames(12))
    assert stored.lost(OTHER) == {"expired": 7, "missing": 1}


@pytest.mark.parametrize("elsewhere", [expired(ONE, partition=1), expired(ONE, topic="andon.frames.heavy")])
def test_an_expired_range_of_another_partition_does_not_concern_a_camera(elsewhere: ExpiredRange) -> None:
    stored = StoredPartition()
    stored.take(*frames(0, 1, 2))
    stored.take(elsewhere, *frames(5))
    assert stored.lost(OTHER) == {"missing": 2}


def test_a_redelivered_frame_does_not_put_a_camera_back_before_the_expired_range() -> None:
    stored = StoredPartition()
    stored.take(*frames(0, 1, 2))
    stored.take(expired(ONE), *frames(10), *frames(1))
    stored.take(expired(ONE), *frames(12))
    assert stored.lost(OTHER) == {"expired": 7, "missing": 1}


def clips(judgement: Judgement, message: AccountMessage) -> list[tuple[str, str, int, str]]:
    orders = clip_orders(judgement, message)
    return [(order.subject, order.frame_id, order.frame.offset, order.path) for order in orders]


def test_an_opened_defect_and_a_rejected_part_get_a_clip_and_nothing_else_does() -> None:
    """The defect's around its best frame, the part's around the frame that decided."""
    frame = inspected(7)
    order = an_order(RecordRef(topic="andon.frames", partition=0, offset=4), path="press-3/2026-03-01/1.jpg")
    picture = "s3://hall-2/evidence/press-3/2026-03-01/1.jpg"
    rejected = a_part(1, "reject", session=frame.session)
    rejected = rejected.model_copy(update={"defects": (rejected.defects[0].model_copy(update={"evidence": picture}),)})
    good = a_part(2, "pass", session=frame.session)
    earlier = rejected.model_copy(update={"session": "s0"})
    defect = order.defect
    assert clips(Judgement((defect,), (order,), (rejected, good, earlier)), frame) == [
        (defect.defect_id, defect.best_frame, 4, "press-3/2026-03-01/1.mp4"),
        (rejected.part_id, frame.frame_id, frame.frame.offset, "press-3/2026-03-01/1.part.mp4"),
    ]
    assert clips(Judgement(verdicts=(rejected,)), expired(ONE)) == []


@pytest.mark.parametrize("wanted", [True, False])
def test_clips_leave_by_a_channel_of_their_own_where_they_are_wanted(*, wanted: bool) -> None:
    messages = crossing(range(6))
    work = OpenBatch((), messages, Batch(Partition("andon.inspections", 0), Position(1, "", 0), len(messages), START))
    work.step({}, DEFECT_RULES, ("redis",), clips=wanted)
    channels = ["redis", "evidence", *(["clips"] if wanted else []), "alarms"]
    assert [row.channel for row in work.batch.leaving] == channels
    assert len({(row.channel, row.event_id) for row in work.batch.leaving}) == len(channels)
