from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from workers.batcher import Batcher, InferenceBatch


def batcher(size: int = 4, max_wait_s: float = 0.02) -> Batcher[tuple[str, int]]:
    return Batcher(size, max_wait_s)


def add(gathering: Batcher[tuple[str, int]], camera: str, *numbers: int, now: float = 0.0) -> None:
    for number in numbers:
        gathering.add(camera, (camera, number), now)


def test_nothing_closes_while_nothing_waits() -> None:
    assert batcher().take(1000.0) is None
    assert batcher().due_at is None


def test_size_closes_a_batch_at_once() -> None:
    gathering = batcher(size=3)
    add(gathering, "a", 0, 1)
    assert gathering.take(0.0) is None
    add(gathering, "b", 0)
    assert gathering.take(0.0) == InferenceBatch((("a", 0), ("b", 0), ("a", 1)), 0.0)


def test_the_age_of_its_first_frame_closes_a_batch() -> None:
    gathering = batcher(max_wait_s=0.02)
    add(gathering, "a", 0, now=1.0)
    add(gathering, "a", 1, now=1.015)
    assert gathering.due_at == 1.02
    assert gathering.take(1.019) is None
    assert gathering.take(1.02) == InferenceBatch((("a", 0), ("a", 1)), 0.020000000000000018)
    assert len(gathering) == 0


def test_age_does_not_close_a_batch_while_the_detector_is_busy() -> None:
    gathering = batcher(size=2)
    add(gathering, "a", 0)
    assert gathering.take(9.0, full_only=True) is None
    add(gathering, "a", 1, now=9.0)
    batch = gathering.take(9.0, full_only=True)
    assert batch is not None
    assert batch.items == (("a", 0), ("a", 1))


def test_with_time_to_spare_a_batch_closes_at_once_with_what_keeps_the_cores_busy() -> None:
    gathering: Batcher[tuple[str, int]] = Batcher(8, 0.02, enough=2)
    assert gathering.take(0.0) is None
    add(gathering, "a", 0)
    assert gathering.take(0.0, full_only=True) == InferenceBatch((("a", 0),), 0.0)
    add(gathering, "a", 1, 2, 3, 4, 5)
    sizes = [len(batch.items) for batch in iter(lambda: gathering.take(0.0), None)]
    assert sizes == [2, 2, 1]


def test_without_time_to_spare_frames_gather() -> None:
    gathering: Batcher[tuple[str, int]] = Batcher(8, 0.02, enough=2)
    add(gathering, "a", 0, 1, 2)
    assert gathering.take(0.01, spare=False) is None
    batch = gathering.take(0.02, spare=False)
    assert batch is not None
    assert len(batch.items) == 3


def test_without_time_to_spare_half_a_batch_closes_beside_the_one_that_is_with_the_detector() -> None:
    gathering: Batcher[tuple[str, int]] = Batcher(8, 0.02, enough=2)
    add(gathering, "a", *range(3))
    assert gathering.take(1.0, full_only=True, spare=False) is None
    add(gathering, "a", 3, 4, now=1.0)
    batch = gathering.take(1.0, full_only=True, spare=False)
    assert batch is not None
    assert len(batch.items) == 4
    add(gathering, "a", *range(5, 12), now=1.0)
    batch = gathering.take(1.0, full_only=True, spare=False)
    assert batch is not None
    assert len(batch.items) == 8, "in a backlog it is full"


def test_on_a_cpu_a_backlog_makes_full_batches_until_it_is_gone() -> None:
    gathering: Batcher[tuple[str, int]] = Batcher(8, 0.02, enough=2)
    add(gathering, "a", *range(19))
    sizes = [len(batch.items) for batch in iter(lambda: gathering.take(0.0), None)]
    assert sizes == [8, 8, 2, 1]


def test_more_cores_than_frames_of_a_batch_never_exceed_its_size() -> None:
    gathering: Batcher[tuple[str, int]] = Batcher(4, 0.02, enough=64)
    add(gathering, "a", *range(7))
    sizes = [len(batch.items) for batch in iter(lambda: gathering.take(0.0), None)]
    assert sizes == [4, 3]


def test_a_camera_in_a_burst_gets_only_the_room_that_the_others_leave() -> None:
    gathering = batcher(size=4)
    add(gathering, "burst", *range(100))
    add(gathering, "calm", 0)
    add(gathering, "quiet", 0)
    batch = gathering.take(0.0)
    assert batch is not None
    assert Counter(camera for camera, _ in batch.items) == {"burst": 2, "calm": 1, "quiet": 1}


def test_with_more_cameras_than_places_each_has_its_turn() -> None:
    gathering = batcher(size=2)
    for camera in "abcde":
        add(gathering, camera, 0, 1)
    dealt = [item for _ in range(5) for item in (gathering.take(0.0) or InferenceBatch((), 0.0)).items]
    assert dealt == [(camera, number) for number in (0, 1) for camera in "abcde"]


cameras = st.sampled_from("abcd")
arrivals = st.lists(st.tuples(cameras, st.integers(0, 30)), max_size=60)


@given(arrivals, st.integers(1, 9))
def test_everything_leaves_once_in_its_cameras_order_and_no_batch_is_too_large(
    steps: list[tuple[str, int]], size: int
) -> None:
    gathering = batcher(size=size, max_wait_s=0.01)
    now, sent = 0.0, Counter[str]()
    left: list[tuple[str, int]] = []
    for camera, wait_ms in steps:
        now += wait_ms / 1000
        add(gathering, camera, sent[camera], now=now)
        sent[camera] += 1
        while (batch := gathering.take(now)) is not None:
            assert 1 <= len(batch.items) <= size
            left += batch.items
    while (batch := gathering.take(now + 1)) is not None:
        left += batch.items
    for camera, count in sent.items():
        assert [number for who, number in left if who == camera] == list(range(count))
    assert len(left) == len(steps)


@given(st.lists(cameras, min_size=1, max_size=60), st.integers(1, 9))
def test_no_camera_takes_a_second_place_while_another_waits_for_its_first(order: list[str], size: int) -> None:
    gathering = batcher(size=size)
    for number, camera in enumerate(order):
        add(gathering, camera, number)
    waiting = Counter(order)
    while (batch := gathering.take(9.0)) is not None:
        dealt = Counter(camera for camera, _ in batch.items)
        for camera, had in waiting.items():
            if had > dealt[camera]:  # it still waits, so nobody has more than one place above it
                assert max(dealt.values()) <= dealt[camera] + 1
        waiting -= dealt
    assert not waiting


@given(st.lists(st.floats(0, 100), min_size=1, max_size=20))
def test_nothing_waits_past_its_due_time(moments: list[float]) -> None:
    gathering = batcher(size=1000, max_wait_s=0.5)
    for moment in sorted(moments):
        add(gathering, "a", 0, now=moment)
    due = gathering.due_at
    assert due is not None
    batch = gathering.take(due)
    assert batch is not None
    assert batch.wait_s <= 0.5 + 1e-9
