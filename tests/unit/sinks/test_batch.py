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
from tests.unit.sinks.judgement.frames import POLICY, inspected

ONE, OTHER = "press-1", "press-2"


class Stored:
    """A partition's cameras; what is stored of them is read again after each batch, as a new owner would."""

    def __init__(self) -> None:
        self.cameras: dict[str, CameraAccount] = {}
        self.touched: set[str] = set()

    def take(self, *messages: AccountMessage) -> None:
        work = Work((), messages, Batch(Partition("andon.inspections", 0), Position(1, "", 0), len(messages), START))
        work.step(self.cameras, POLICY, ())
        self.touched = {camera.camera_id for camera in work.batch.states}
        for camera in self.cameras.values():
            camera.state = from_bytes(to_bytes(camera.state))

    def lost(self, camera: str) -> dict[str, int]:
        return dict(self.cameras[camera].sessions["s1"].tally().lost)


def frames(*numbers: int) -> Sequence[AccountMessage]:
    """Of both cameras; number n lies at offset n."""
    return [inspected(number, camera=camera) for number in numbers for camera in (ONE, OTHER)]


def told(camera: str, topic: str = "andon.frames", partition: int = 0) -> Expired:
    return Expired(camera_id=camera, topic=topic, partition=partition, first_offset=3, last_offset=9, at=START)


def test_a_hole_that_one_camera_is_told_of_is_known_of_all_that_were_heard_of_before_it() -> None:
    """The worker that saw it may die before the other camera's next record; nobody will see it again."""
    stored = Stored()
    stored.take(*frames(0, 1, 2))
    stored.take(told(ONE), inspected(10, camera=ONE))
    assert stored.touched == {ONE, OTHER}
    stored.take(inspected(12, camera=OTHER))
    assert (stored.lost(ONE), stored.lost(OTHER)) == ({"expired": 7}, {"expired": 9})


def test_a_hole_that_is_told_again_explains_nothing_that_went_missing_behind_it() -> None:
    stored = Stored()
    stored.take(*frames(0, 1, 2))
    stored.take(told(ONE), *frames(10))
    stored.take(told(ONE), *frames(12))
    assert stored.lost(OTHER) == {"expired": 7, "missing": 1}


@pytest.mark.parametrize("elsewhere", [told(ONE, partition=1), told(ONE, topic="andon.frames.heavy")])
def test_a_hole_elsewhere_is_none_of_a_cameras(elsewhere: Expired) -> None:
    stored = Stored()
    stored.take(*frames(0, 1, 2))
    stored.take(elsewhere, *frames(5))
    assert stored.lost(OTHER) == {"missing": 2}


def test_a_frame_delivered_again_does_not_put_a_camera_back_before_the_hole() -> None:
    stored = Stored()
    stored.take(*frames(0, 1, 2))
    stored.take(told(ONE), *frames(10), *frames(1))
    stored.take(told(ONE), *frames(12))
    assert stored.lost(OTHER) == {"expired": 7, "missing": 1}
