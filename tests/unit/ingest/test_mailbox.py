"""The mailbox: bounded, in order, everything accounted for."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.messages import CameraStatus, Frame, Shed
from ingest.mailbox import STATUSES, Bounds, Mailbox, Message
from tests.fakes import START
from tests.unit.ingest.fakes import frame, status

LOSSLESS = Bounds(frames=3, size_bytes=1000)
FRESHEST = Bounds(frames=3, size_bytes=1000, max_age_s=2.0)


def take_all(mailbox: Mailbox) -> list[Message]:
    taken: list[Message] = []
    while (message := mailbox.take(START)) is not None:
        taken.append(message)
    return taken


def numbers(messages: list[Message]) -> list[tuple[int, int, str]]:
    """(first, last, how) of each."""
    return [
        (item.seq, item.seq, "frame") if isinstance(item, Frame) else (item.first_seq, item.last_seq, item.reason)
        for item in messages
        if not isinstance(item, CameraStatus)
    ]


def test_a_full_lossless_mailbox_gives_up_the_newest_as_one_range() -> None:
    mailbox = Mailbox(LOSSLESS)
    assert [mailbox.put(frame(seq), START) for seq in range(6)] == [0, 0, 0, 1, 1, 1]
    assert numbers(take_all(mailbox)) == [(0, 0, "frame"), (1, 1, "frame"), (2, 2, "frame"), (3, 5, "mailbox_full")]


def test_a_full_freshest_mailbox_gives_up_the_oldest_as_one_range() -> None:
    mailbox = Mailbox(FRESHEST)
    assert [mailbox.put(frame(seq), START) for seq in range(6)] == [0, 0, 0, 1, 1, 1]
    assert numbers(take_all(mailbox)) == [(0, 2, "mailbox_full"), (3, 3, "frame"), (4, 4, "frame"), (5, 5, "frame")]


def test_frames_that_grew_stale_while_waiting_are_shed_together_at_take_out() -> None:
    mailbox = Mailbox(FRESHEST)
    for seq, age_s in ((0, 3.0), (1, 2.5), (2, 1.0)):
        mailbox.put(frame(seq, age_s=age_s), START)
    assert numbers(take_all(mailbox)) == [(0, 1, "stale"), (2, 2, "frame")]


def test_a_lossless_mailbox_sheds_nothing_for_its_age() -> None:
    mailbox = Mailbox(LOSSLESS)
    mailbox.put(frame(0, age_s=3600), START)
    assert numbers(take_all(mailbox)) == [(0, 0, "frame")]


def test_bytes_are_bounded_as_well_as_frames() -> None:
    mailbox = Mailbox(LOSSLESS)
    assert mailbox.put(frame(0, size_bytes=600), START) == 0
    assert mailbox.put(frame(1, size_bytes=600), START) == 1
    assert mailbox.size_bytes == 600


def test_one_large_new_frame_may_cost_a_freshest_camera_several_old_ones() -> None:
    mailbox = Mailbox(FRESHEST)
    for seq in range(3):
        mailbox.put(frame(seq, size_bytes=300), START)
    assert mailbox.put(frame(3, size_bytes=700), START) == 2
    assert numbers(take_all(mailbox)) == [(0, 1, "mailbox_full"), (2, 2, "frame"), (3, 3, "frame")]


def test_a_frame_on_its_way_counts_to_the_bounds_until_the_broker_has_it() -> None:
    mailbox = Mailbox(Bounds(frames=1, size_bytes=1000))
    mailbox.put(frame(0), START)
    taken = mailbox.take(START)
    assert isinstance(taken, Frame)
    assert not mailbox.has_room(10)
    mailbox.settled(taken)
    assert mailbox.has_room(10)


def test_a_freshest_mailbox_whose_frames_are_all_on_their_way_gives_up_the_newest() -> None:
    mailbox = Mailbox(Bounds(frames=1, size_bytes=1000, max_age_s=2.0))
    mailbox.put(frame(0), START)
    mailbox.take(START)
    assert mailbox.put(frame(1), START) == 1
    assert numbers(take_all(mailbox)) == [(1, 1, "mailbox_full")]


def test_a_heartbeat_overtakes_frames_and_a_sessions_last_word_does_not() -> None:
    mailbox = Mailbox(LOSSLESS)
    mailbox.put(frame(0), START)
    mailbox.end(status(final=True, captured=1))
    mailbox.tell(status(captured=1))
    kinds = [type(item).__name__ for item in take_all(mailbox)]
    assert kinds == ["CameraStatus", "Frame", "CameraStatus"]


def test_heartbeats_that_wait_are_one_and_changes_that_wait_are_bounded() -> None:
    mailbox = Mailbox(LOSSLESS)
    for captured in range(5):
        mailbox.tell(status(captured=captured))
    assert [item.captured for item in take_all(mailbox) if isinstance(item, CameraStatus)] == [4]
    for number in range(STATUSES + 10):
        mailbox.tell(status(detail=str(number)))
    details = [item.detail for item in take_all(mailbox) if isinstance(item, CameraStatus)]
    assert details == [str(number) for number in range(10, STATUSES + 10)]


def test_ranges_of_two_sessions_are_never_one() -> None:
    mailbox = Mailbox(Bounds(frames=1, size_bytes=1000))
    mailbox.put(frame(0), START)
    mailbox.put(frame(1), START)
    mailbox.put(frame(2, session="t"), START)
    shed = [item for item in take_all(mailbox) if isinstance(item, Shed)]
    assert [(item.session, item.first_seq, item.last_seq) for item in shed] == [("s", 1, 1), ("t", 2, 2)]


steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(1, 500)),
        st.tuples(st.sampled_from(["take", "settle", "end", "beat"]), st.just(0)),
        st.tuples(st.just("wait"), st.integers(1, 3)),
    ),
    max_size=120,
)


class Run:
    """Drives a mailbox as capture, publisher and clock would, in any order, and writes down what comes out."""

    def __init__(self, bounds: Bounds) -> None:
        self.mailbox = Mailbox(bounds)
        self.bounds = bounds
        self.now = START
        self.session, self.seq = 0, 0
        self.put: list[tuple[str, int]] = []
        self.out: list[tuple[str, int]] = []
        self.flying: list[Frame] = []
        self.given_up = 0
        self.shed = 0
        self.ended: list[str] = []

    def step(self, what: str, amount: int) -> None:
        if what == "put":
            name = f"s{self.session}"
            self.given_up += self.mailbox.put(frame(self.seq, session=name, size_bytes=amount, at=self.now), self.now)
            self.put.append((name, self.seq))
            self.seq += 1
        elif what == "end" and self.seq:
            self.mailbox.end(status(f"s{self.session}", final=True, captured=self.seq))
            self.session, self.seq = self.session + 1, 0
        elif what == "beat":
            self.mailbox.tell(status(f"s{self.session}", captured=self.seq))
        elif what == "take":
            self.take()
        elif what == "settle" and self.flying:
            self.mailbox.settled(self.flying.pop(0))
        elif what == "wait":
            self.now += timedelta(seconds=amount)

    def take(self) -> bool:
        message = self.mailbox.take(self.now)
        match message:
            case Frame():
                self.flying.append(message)
                self.out.append((message.session, message.seq))
            case Shed():
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
    run = Run(Bounds(frames, size_bytes, max_age_s))
    for what, amount in script:
        run.step(what, amount)
        assert run.mailbox.depth <= frames
        assert run.mailbox.size_bytes <= size_bytes
    while run.take():
        pass
    assert run.out == run.put
    assert run.shed == run.given_up
    assert run.ended == [f"s{number}" for number in range(run.session)]
    assert run.mailbox.empty
    assert run.mailbox.depth == len(run.flying)
    assert run.mailbox.size_bytes == sum(len(item.payload) for item in run.flying)
