"""What lies in a spool and what may be done next, whatever the order of things."""

from collections import deque
from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ingest.spool_index import FIRST, Segment, SpoolIndex
from tests.fakes import START

MAX_BYTES, SEGMENT_BYTES = 100, 30
sizes = st.integers(1, 40)


class IndexMachine(RuleBasedStateMachine):
    """A model beside it: a plain queue, and for each segment what was read and not settled."""

    def __init__(self) -> None:
        super().__init__()
        self.index = SpoolIndex(MAX_BYTES, SEGMENT_BYTES)
        self.files: dict[int, int] = {}
        self.queue: deque[tuple[int, int]] = deque()
        self.unsettled: list[int] = []

    @rule(size=sizes)
    def append(self, size: int) -> None:
        assert self.index.has_room(size) == (sum(self.files.values()) + size <= MAX_BYTES)
        if self.index.has_room(size):
            segment = self.index.target(size, START)
            before = self.files.get(segment.number, 0)
            assert before == segment.size_bytes
            assert before == 0 or before + size <= SEGMENT_BYTES
            self.files[segment.number] = before + size
            self.index.appended(segment, size)
            self.queue.append((segment.number, size))

    @precondition(lambda self: self.queue)
    @rule()
    def read(self) -> None:
        segment = self.index.next()
        number, size = self.queue.popleft()
        assert segment is not None
        assert segment.number == number
        self.index.took(segment, size)
        self.unsettled.append(number)

    @precondition(lambda self: self.unsettled)
    @rule(which=st.integers(0, 99))
    def settle(self, which: int) -> None:
        self.index.settle(self.unsettled.pop(which % len(self.unsettled)))
        self._removed()

    @precondition(lambda self: self.queue)
    @rule()
    def damage(self) -> None:
        segment = self.index.next()
        assert segment is not None
        lost = [entry for entry in self.queue if entry[0] == segment.number]
        assert self.index.damaged(segment) == len(lost)
        self.queue = deque(entry for entry in self.queue if entry[0] != segment.number)
        self._removed()

    @rule()
    def crash(self) -> None:
        """The next process finds whole files, read or not: nothing that was not settled is missing."""
        by_number = [(number, size) for number, size in self.queue]
        kept = {number: Segment(number, START, size_bytes=self.files[number]) for number in sorted(self.files)}
        for number, _ in by_number:
            kept[number].records += 1
        for number in self.unsettled:
            kept[number].records += 1
        found = [replace(segment) for segment in kept.values() if segment.records]
        self.files = {segment.number: self.files[segment.number] for segment in found}
        self.index = SpoolIndex(MAX_BYTES, SEGMENT_BYTES, found)
        sizes_of = {segment.number: segment.size_bytes // segment.records for segment in found}
        self.queue = deque((s.number, sizes_of[s.number]) for s in found for _ in range(s.records))
        self.unsettled = []

    def _removed(self) -> None:
        needed = {number for number, _ in self.queue} | set(self.unsettled)
        for number in self.index.remove_done():
            assert number not in needed
            del self.files[number]
        assert set(self.files) == needed

    @invariant()
    def counts(self) -> None:
        assert self.index.depth == len(self.queue)
        assert self.index.size_bytes == sum(self.files.values()) <= MAX_BYTES
        assert (self.index.since is None) == (not self.files)
        assert (self.index.next() is None) == (not self.queue)


TestIndex = IndexMachine.TestCase


def test_what_is_put_back_stands_before_everything_else() -> None:
    index = SpoolIndex(MAX_BYTES, SEGMENT_BYTES)
    index.appended(index.target(10, START), 10)
    front = index.front(START)
    index.appended(front, 5)
    assert front.number < FIRST + 1
    assert index.next() is front


def test_a_segment_that_an_earlier_process_left_is_not_written_to() -> None:
    index = SpoolIndex(MAX_BYTES, SEGMENT_BYTES, [Segment(FIRST + 7, START, size_bytes=1, records=1)])
    assert index.target(1, START).number == FIRST + 8
