"""A queue over memory and disk: everything in it comes out once and in order."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from andon.messages import CameraStatus, Frame
from ingest.queue import Message
from ingest.spooled_queue import BATCH, SpooledQueue
from tests.fakes import FakeClock
from tests.unit.ingest.fakes import frame, status

FRAMES, SIZE_BYTES = 6, 60


class SpooledMachine(RuleBasedStateMachine):
    """Camera, broker and disk in any order of steps; now and then the disk takes nothing, or not everything."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = SpooledQueue(FRAMES, SIZE_BYTES, FakeClock())
        self.queue.opened(0, 0)
        self.disk: dict[int, Message] = {}
        self.flying: list[Message] = []
        self.sent: list[Message] = []
        self.next_seq, self.shed = 0, 0

    @rule(size_bytes=st.integers(1, 15), keyframe=st.sampled_from([None, True, False, False]))
    def capture(self, size_bytes: int, keyframe: bool | None = None) -> None:
        self.shed += self.queue.put(frame(self.next_seq, size_bytes=size_bytes, keyframe=keyframe))
        self.next_seq += 1

    @rule()
    def end_session(self) -> None:
        self.queue.end(status(final=True, captured=self.next_seq))

    @rule()
    def take(self) -> None:
        message = self.queue.take()
        if message is not None:
            self.sent.append(message)
            self.flying.append(message)

    @rule(which=st.integers(0, 99))
    def settle(self, which: int) -> None:
        if self.flying:
            self.queue.settled(self.flying.pop(which % len(self.flying)))

    @rule(takes=st.integers(0, BATCH), between=st.integers(0, 3))
    def store(self, takes: int, between: int) -> None:
        rows = self.queue.to_store()
        for _ in range(between):
            self.capture(5)  # while the disk is at it
        self.disk |= dict(rows[:takes])
        self.queue.stored(len(rows[:takes]))

    @rule()
    def read(self) -> None:
        if self.queue.wants_more:
            start, most, _ = self.queue.to_read()
            self.queue.read([row for row in sorted(self.disk.items()) if row[0] >= start][:most])

    @rule()
    def delete(self) -> None:
        if self.disk and self.queue.wants_deletion:
            through = self.queue.to_delete()
            self.disk = {position: message for position, message in self.disk.items() if position > through}

    @invariant()
    def bounds(self) -> None:
        unread = [position for position in self.disk if position >= self.queue.to_read()[0]]
        assert self.queue.on_disk == len(unread)
        assert self.queue.depth <= FRAMES

    def teardown(self) -> None:
        while not self.queue.empty or self.flying:
            self.store(takes=BATCH, between=0)
            self.read()
            self.take()
            self.settle(0)
        self.delete()
        assert not self.disk
        numbers: list[int] = []
        broken = False
        for item in self.sent:
            if isinstance(item, Frame):
                assert not (broken and item.content_type == "video/h264" and not item.keyframe)
            broken = not isinstance(item, Frame | CameraStatus) or (isinstance(item, CameraStatus) and broken)
            if isinstance(item, CameraStatus):
                assert len(numbers) == item.captured  # its frames stand before it
            elif isinstance(item, Frame):
                numbers.append(item.seq)
            else:
                assert item.reason == "spool_full"
                numbers += range(item.first_seq, item.last_seq + 1)
        assert numbers == list(range(self.next_seq))
        assert sum(isinstance(item, Frame) for item in self.sent) == self.next_seq - self.shed


TestSpooled = SpooledMachine.TestCase


def spooled(frames: int = FRAMES) -> SpooledQueue:
    return SpooledQueue(frames, 10_000, FakeClock())


def test_nothing_passes_what_an_earlier_process_left_before_that_is_counted() -> None:
    queue = spooled()
    queue.put(frame(0))
    assert queue.take() is None
    assert not queue.empty
    queue.opened(0, 0)
    assert queue.take() == frame(0)


def test_what_an_earlier_process_left_is_sent_before_anything_new() -> None:
    queue = spooled()
    queue.put(frame(0, session="t"))
    queue.opened(7, 8)
    assert queue.take() is None
    queue.read([(7, frame(5))])
    assert [queue.take(), queue.take()] == [frame(5), frame(0, session="t")]


def test_what_only_memory_holds_keeps_its_place_between_older_and_newer_records_on_disk() -> None:
    queue = spooled()
    queue.opened(3, 4)
    queue.read([(3, frame(0))])
    queue.put(frame(1))  # straight into memory: nothing waits on disk any more
    for seq in range(2, 8):
        queue.put(frame(seq))
    rows = queue.to_store()
    queue.stored(len(rows))
    positions = [position for position, _ in queue.leftover()]
    assert positions == sorted(positions)
    assert positions[0] == 3, "it is on disk, too"
    assert not set(positions) & {position for position, _ in rows}
    assert max(positions) < min(position for position, _ in rows)


def test_frames_that_memory_held_before_the_disk_was_found_never_take_the_place_of_older_ones() -> None:
    queue = spooled()
    queue.opened(0, 0)  # the disk can't be had
    queue.put(frame(0))
    queue.opened(4, 6)  # now it can, and an earlier process left two records
    assert [position for position, _ in queue.leftover()] == [6]


def test_frames_go_to_the_disk_many_at_a_time() -> None:
    queue = spooled(frames=80)  # 20 of them in the tail
    queue.opened(0, 0)
    for seq in range(60 + 9):
        queue.put(frame(seq))
    assert not queue.wants_storing
    queue.put(frame(69))
    assert queue.wants_storing
    assert len(queue.to_store()) == 10


def test_a_record_that_cannot_be_read_is_passed_over_and_deleted() -> None:
    queue = spooled()
    queue.opened(0, 2)
    queue.read([(0, None), (1, frame(1))])
    taken = queue.take()
    assert taken == frame(1)
    queue.settled(taken)
    assert queue.to_delete() == 1
