"""Records of several cameras, stepped through together."""

from collections.abc import Sequence

import pytest

from andon.messages import Expired
from andon.stream.offsets import Partition
from sinks.batch import Work
from sinks.judgement.state import CameraAccount, from_bytes, to_bytes
from sinks.judgement.step import AccountMessage
from sinks.store.stored import Batch, Position
from tests.fakes import START
from tests.unit.sinks.judgement.frames import DEFECT_RULES, inspected

ONE, OTHER = "press-1", "press-2"


class StoredPartition:
    """A partition's cameras. Their states are stored and read again after each batch, as by a new owner."""

    def __init__(self) -> None:
        self.cameras: dict[str, CameraAccount] = {}
        self.touched: set[str] = set()

    def take(self, *messages: AccountMessage) -> None:
        work = Work((), messages, Batch(Partition("andon.inspections", 0), Position(1, "", 0), len(messages), START))
        work.step(self.cameras, DEFECT_RULES, ())
        self.touched = {camera.camera_id for camera in work.batch.states}
        for camera in self.cameras.values():
            camera.state = from_bytes(to_bytes(camera.state))

    def lost(self, camera: str) -> dict[str, int]:
        return dict(self.cameras[camera].sessions["s1"].tally().lost)


def frames(*numbers: int) -> Sequence[AccountMessage]:
    """Of both cameras; number n lies at offset n."""
    return [inspected(number, camera=camera) for number in numbers for camera in (ONE, OTHER)]


def expired(camera: str, topic: str = "andon.frames", partition: int = 0) -> Expired:
    return Expired(camera_id=camera, topic=topic, partition=partition, first_offset=3, last_offset=9, at=START)


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
def test_an_expired_range_of_another_partition_does_not_concern_a_camera(elsewhere: Expired) -> None:
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
