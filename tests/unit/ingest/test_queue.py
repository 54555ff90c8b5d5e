"""The queues: bounded, in order, everything accounted for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.messages import CameraStatus, Frame, ShedRange
from ingest.queue import STATUSES, Freshest, Lossless, Message, StatusQueue
from tests.fakes import FakeClock
from tests.unit.ingest.fakes import frame, status


def lossless(frames: int = 3) -> Lossless:
    return Lossless(frames, 1000, FakeClock())


def freshest(frames: int = 3, clock: FakeClock | None = None) -> Freshest:
    return Freshest(frames, 1000, clock or FakeClock(), 2.0)


def take_all(queue: Lossless) -> list[Message]:
    taken: list[Message] = []
    while (message := queue.take()) is not None:
        taken.append(message)
    return taken


def numbers(messages: list[Message]) -> list[tuple[int, int, str]]:
    """(first, last, how) of each."""
    return [
        (item.seq, item.seq, "frame") if isinstance(item, Frame) else (item.first_seq, item.last_seq, item.reason)
        for item in messages
        if not isinstance(item, CameraStatus)
    ]


def test_a_full_lossless_queue_sheds_the_newest_as_one_range() -> None:
    queue = lossless()
    assert [queue.put(frame(seq)) for seq in range(6)] == [0, 0, 0, 1, 1, 1]
    assert numbers(take_all(queue)) == [(0, 0, "frame"), (1, 1, "frame"), (2, 2, "frame"), (3, 5, "mailbox_full")]


def test_a_full_freshest_queue_sheds_the_oldest_as_one_range() -> None:
    queue = freshest()
    assert [queue.put(frame(seq)) for seq in range(6)] == [0, 0, 0, 1, 1, 1]
    assert numbers(take_all(queue)) == [(0, 2, "mailbox_full"), (3, 3, "frame"), (4, 4, "frame"), (5, 5, "frame")]


def test_frames_that_grew_stale_while_waiting_are_shed_together_when_they_are_taken() -> None:
    queue = freshest()
    for seq, age_s in ((0, 3.0), (1, 2.5), (2, 1.0)):
        queue.put(frame(seq, age_s=age_s))
    assert numbers(take_all(queue)) == [(0, 1, "stale"), (2, 2, "frame")]


def test_a_step_of_the_hosts_clock_sheds_no_frame_that_waits() -> None:
    clock = FakeClock()
    queue = freshest(clock=clock)
    queue.put(frame(0))
    clock.step(3600)
    assert numbers(take_all(queue)) == [(0, 0, "frame")]


def test_a_lossless_queue_sheds_no_frame_for_its_age() -> None:
    queue = lossless()
    queue.put(frame(0, age_s=3600))
    assert numbers(take_all(queue)) == [(0, 0, "frame")]


def test_bytes_are_bounded_as_well_as_frames() -> None:
    queue = lossless()
    assert queue.put(frame(0, size_bytes=600)) == 0
    assert queue.put(frame(1, size_bytes=600)) == 1
    assert queue.size_bytes == 600


def test_a_frame_that_is_larger_than_the_bound_fits_alone() -> None:
    queue = lossless()
    assert queue.put(frame(0, size_bytes=1200)) == 0
    assert queue.put(frame(1, size_bytes=1)) == 1


def test_one_large_new_frame_may_cost_a_freshest_camera_several_old_ones() -> None:
    queue = freshest()
    for seq in range(3):
        queue.put(frame(seq, size_bytes=300))
    assert queue.put(frame(3, size_bytes=700)) == 2
    assert numbers(take_all(queue)) == [(0, 1, "mailbox_full"), (2, 2, "frame"), (3, 3, "frame")]


def test_a_frame_under_way_counts_towards_the_bounds_until_the_broker_has_it() -> None:
    queue = lossless(frames=1)
    queue.put(frame(0))
    taken = queue.take()
    assert isinstance(taken, Frame)
    assert not queue.has_room(10)
    queue.settled(taken)
    assert queue.has_room(10)


def test_a_freshest_queue_whose_frames_are_all_under_way_sheds_the_newest() -> None:
    queue = freshest(frames=1)
    queue.put(frame(0))
    queue.take()
    assert queue.put(frame(1)) == 1
    assert numbers(take_all(queue)) == [(1, 1, "mailbox_full")]


def test_a_sessions_final_status_stays_behind_its_frames() -> None:
    queue = lossless()
    queue.put(frame(0))
    queue.end(status(final=True, captured=1))
    assert [type(item).__name__ for item in take_all(queue)] == ["Frame", "CameraStatus"]


def test_heartbeats_that_wait_are_one_and_changes_that_wait_are_bounded() -> None:
    statuses = StatusQueue()
    for captured in range(5):
        statuses.put(status(captured=captured))
    assert [item.captured for item in iter(statuses.take, None)] == [4]
    for number in range(STATUSES + 10):
        statuses.put(status(detail=str(number)))
    assert [item.detail for item in iter(statuses.take, None)] == [str(number) for number in range(10, STATUSES + 10)]


def test_ranges_of_two_sessions_are_never_one() -> None:
    queue = lossless(frames=1)
    queue.put(frame(0))
    queue.put(frame(1))
    queue.put(frame(2, session="t"))
    shed = [item for item in take_all(queue) if isinstance(item, ShedRange)]
    assert [(item.session, item.first_seq, item.last_seq) for item in shed] == [("s", 1, 1), ("t", 2, 2)]


def group(first: int, count: int, age_s: float = 0.0) -> list[Frame]:
    """Of video: a keyframe and what refers to it."""
    return [frame(first + number, keyframe=not number, age_s=age_s) for number in range(count)]


def test_of_video_a_full_lossless_queue_sheds_the_rest_of_the_group() -> None:
    queue = lossless()
    shed = [queue.put(item) for item in group(0, 4)]
    taken = [queue.take(), queue.take()]
    for message in taken:
        assert message is not None
        queue.settled(message)
    shed += [queue.put(item) for item in [frame(4, keyframe=False), *group(5, 2)]]
    assert shed == [0, 0, 0, 1, 1, 0, 0]
    assert numbers(take_all(queue)) == [(2, 2, "frame"), (3, 4, "mailbox_full"), (5, 5, "frame"), (6, 6, "frame")]


def test_of_video_a_full_freshest_queue_sheds_the_oldest_group_whole() -> None:
    queue = freshest()
    assert [queue.put(item) for item in [*group(0, 2), *group(2, 2)]] == [0, 0, 0, 2]
    assert numbers(take_all(queue)) == [(0, 1, "mailbox_full"), (2, 2, "frame"), (3, 3, "frame")]


def test_of_video_what_comes_of_a_group_that_was_shed_is_shed_as_the_same_range() -> None:
    queue = freshest()
    assert [queue.put(item) for item in [*group(0, 6), *group(6, 1)]] == [0, 0, 0, 4, 1, 1, 0]
    assert numbers(take_all(queue)) == [(0, 5, "mailbox_full"), (6, 6, "frame")]


def test_of_video_a_stale_frame_takes_the_rest_of_its_group_along() -> None:
    queue = freshest(frames=9)
    for item in [*group(0, 1, age_s=3.0), frame(1, keyframe=False)]:
        queue.put(item)
    assert numbers(take_all(queue)) == [(0, 1, "stale")]
    assert queue.put(frame(2, keyframe=False)) == 0  # the publisher counts what is stale
    queue.put(frame(3, keyframe=True))
    assert numbers(take_all(queue)) == [(2, 2, "stale"), (3, 3, "frame")]


steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["put", "put", "keyframe", "following"]), st.integers(1, 500)),
        st.tuples(st.sampled_from(["take", "settle", "end"]), st.just(0)),
        st.tuples(st.just("wait"), st.integers(1, 3)),
    ),
    max_size=120,
)


class Run:
    """Drives a queue as capture, publisher and clock would, in any order, and writes down what comes out."""

    def __init__(self, queue: Lossless, clock: FakeClock) -> None:
        self.queue = queue
        self.clock = clock
        self.session, self.seq = 0, 0
        self.put: list[tuple[str, int]] = []
        self.out: list[tuple[str, int]] = []
        self.flying: list[Frame] = []
        self.put_shed = 0
        self.shed = 0
        self.broken = False
        """The frame that came out last was shed."""
        self.ended: list[str] = []

    def step(self, what: str, amount: int) -> None:
        if what in ("put", "keyframe", "following"):
            name = f"s{self.session}"
            keyframe = None if what == "put" else what == "keyframe" or not self.seq
            item = frame(self.seq, session=name, size_bytes=amount, at=self.clock.now(), keyframe=keyframe)
            self.put_shed += self.queue.put(item)
            self.put.append((name, self.seq))
            self.seq += 1
        elif what == "end" and self.seq:
            self.queue.end(status(f"s{self.session}", final=True, captured=self.seq))
            self.session, self.seq = self.session + 1, 0
        elif what == "take":
            self.take()
        elif what == "settle" and self.flying:
            self.queue.settled(self.flying.pop(0))
        elif what == "wait":
            self.clock.advance(amount)

    def take(self) -> bool:
        message = self.queue.take()
        match message:
            case Frame():
                follows = message.content_type.startswith("video/") and not message.keyframe
                assert not (follows and self.broken), "it refers to a frame that was shed"
                self.broken = False
                self.flying.append(message)
                self.out.append((message.session, message.seq))
            case ShedRange():
                self.broken = True
                span = range(message.first_seq, message.last_seq + 1)
                self.out.extend((message.session, seq) for seq in span)
                self.shed += len(span) if message.reason == "mailbox_full" else 0
            case CameraStatus(final=True, session=str(session), captured=captured):
                assert [seq for name, seq in self.out if name == session] == list(range(captured))
                self.ended.append(session)
        return message is not None


@pytest.mark.parametrize("max_age_s", [None, 2.0])
@given(frames=st.integers(1, 5), size_bytes=st.integers(100, 1500), script=steps)
def test_every_number_put_in_comes_out_once_in_order_and_the_bounds_hold(
    max_age_s: float | None, frames: int, size_bytes: int, script: list[tuple[str, int]]
) -> None:
    clock = FakeClock()
    queue = Lossless(frames, size_bytes, clock) if max_age_s is None else Freshest(frames, size_bytes, clock, max_age_s)
    run = Run(queue, clock)
    for what, amount in script:
        run.step(what, amount)
        assert queue.depth <= frames
        assert queue.size_bytes <= max(size_bytes, 500)
    while run.take():
        pass
    assert run.out == run.put
    assert run.shed == run.put_shed
    assert run.ended == [f"s{number}" for number in range(run.session)]
    assert queue.empty
    assert queue.depth == len(run.flying)
    assert queue.size_bytes == sum(len(item.payload) for item in run.flying)
