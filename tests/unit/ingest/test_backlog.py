"""What waits behind a full mailbox: one queue over memory and disk, everything in it once and in order."""

from collections import deque

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from andon.messages import CameraStatus, Frame
from ingest.backlog import Backlog
from ingest.mailbox import Mailbox
from ingest.waiting import Bounds, Message
from tests.fakes import START
from tests.unit.ingest.fakes import frame, status

MEMORY, TAIL = Bounds(4, 40), Bounds(2, 20)


class SpoolingMachine(RuleBasedStateMachine):
    """Camera, broker and disk in any order of steps; the disk now and then takes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.backlog = Backlog(TAIL)
        self.mailbox = Mailbox(MEMORY, self.backlog)
        self.backlog.known = True
        self.disk: deque[Message] = deque()
        self.flying: list[Message] = []
        self.sent: list[Message] = []
        self.next_seq, self.given_up = 0, 0

    @rule(size_bytes=st.integers(1, 15))
    def capture(self, size_bytes: int) -> None:
        self.given_up += self.mailbox.put(frame(self.next_seq, size_bytes=size_bytes), START)
        self.next_seq += 1

    @rule()
    def last_word(self) -> None:
        self.mailbox.end(status(final=True, captured=self.next_seq))

    @rule()
    def take(self) -> None:
        message = self.mailbox.take(START)
        if message is not None:
            self.sent.append(message)
            self.flying.append(message)

    @rule(which=st.integers(0, 99))
    def settle(self, which: int) -> None:
        if self.flying:
            self.mailbox.settled(self.flying.pop(which % len(self.flying)))

    @rule(takes=st.booleans(), between=st.integers(0, 3))
    def store(self, *, takes: bool, between: int) -> None:
        message = self.backlog.to_store()
        if message is None:
            return
        for _ in range(between):
            self.capture(5)  # while the disk is at it
        if takes:
            self.disk.append(message)
            self.backlog.stored()
        else:
            self.backlog.kept()

    @rule()
    def fetch(self) -> None:
        if self.mailbox.wants_more:
            self.mailbox.fetched(self.disk.popleft(), 1)
            self.backlog.on_disk -= 1

    @invariant()
    def bounds(self) -> None:
        assert self.backlog.on_disk == len(self.disk)
        assert self.mailbox.depth <= MEMORY.frames + TAIL.frames
        assert self.mailbox.size_bytes <= MEMORY.size_bytes + 15

    def teardown(self) -> None:
        while not self.mailbox.empty:
            self.store(takes=True, between=0)
            self.fetch()
            self.take()
            self.settle(0)
        numbers: list[int] = []
        words = [item for item in self.sent if isinstance(item, CameraStatus)]
        for item in self.sent:
            if isinstance(item, CameraStatus):
                assert len(numbers) == item.captured  # its frames stand before it
            elif isinstance(item, Frame):
                numbers.append(item.seq)
            else:
                assert item.reason == "spool_full"
                numbers += range(item.first_seq, item.last_seq + 1)
        assert numbers == list(range(self.next_seq))
        frames = sum(isinstance(item, Frame) for item in self.sent)
        assert frames == self.next_seq - self.given_up
        assert len({item.model_dump_json() for item in words}) <= len(words)


TestSpooling = SpoolingMachine.TestCase


def test_nothing_passes_what_an_earlier_process_left_until_that_is_known() -> None:
    backlog = Backlog(TAIL)
    mailbox = Mailbox(MEMORY, backlog)
    mailbox.put(frame(0), START)
    assert mailbox.take(START) is None
    assert not mailbox.empty
    backlog.known = True
    assert mailbox.take(START) == frame(0)


def test_what_only_memory_holds_is_told_oldest_first_for_a_process_that_ends() -> None:
    backlog = Backlog(TAIL)
    backlog.known = True
    mailbox = Mailbox(MEMORY, backlog)
    mailbox.put(frame(0), START)
    mailbox.put(frame(1), START)
    taken = mailbox.take(START)
    mailbox.fetched(frame(2), segment=7)
    assert taken == frame(0)
    assert mailbox.leftover() == [frame(0), frame(1)]
    mailbox.settled(frame(0))
    assert mailbox.leftover() == [frame(1)]
    assert mailbox.settled(frame(2)) == 7


def test_what_memory_alone_holds_is_never_put_before_an_older_frame_that_lies_on_disk() -> None:
    backlog = Backlog(Bounds(8, 10_000))
    backlog.known, backlog.on_disk = True, 1
    mailbox = Mailbox(Bounds(8, 10_000), backlog)
    mailbox.fetched(frame(0), segment=1)
    backlog.on_disk = 0
    mailbox.put(frame(1), START)  # straight into memory: nothing waits on disk any more
    assert mailbox.leftover() == [frame(0), frame(1)]
    assert mailbox.take(START) == frame(0)
    assert mailbox.settled(frame(0)) == 1
    assert mailbox.leftover() == [frame(1)]
