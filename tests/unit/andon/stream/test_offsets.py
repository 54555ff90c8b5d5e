import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.stream.offsets import OffsetTracker


def test_nothing_is_committable_until_the_first_is_done() -> None:
    offsets = OffsetTracker()
    offsets.take(5)
    offsets.take(6)
    offsets.done(6)
    assert offsets.committable is None
    offsets.done(5)
    assert offsets.committable == 7


def test_holes_in_the_log_do_not_hold_a_commit_back() -> None:
    offsets = OffsetTracker()
    for offset in (3, 9):
        offsets.take(offset)
        offsets.done(offset)
    assert offsets.committable == 10


@given(st.lists(st.integers(0, 1000), unique=True, min_size=1).map(sorted), st.randoms())
def test_a_commit_only_grows_and_never_passes_what_is_in_flight(taken: list[int], chance: object) -> None:
    offsets = OffsetTracker()
    for offset in taken:
        offsets.take(offset)
    order = list(taken)
    chance.shuffle(order)  # type: ignore[attr-defined]  # hypothesis' Random
    open_offsets, last = set(taken), -1
    for offset in order:
        offsets.done(offset)
        open_offsets.remove(offset)
        commit = offsets.committable
        assert commit is None or last <= commit <= min(open_offsets, default=taken[-1] + 1)
        last = commit if commit is not None else last
        assert offsets.in_flight == len(open_offsets)
    assert offsets.committable == taken[-1] + 1


@pytest.mark.parametrize("offset", [4, 5, 7])
def test_an_offset_that_is_not_in_flight_is_a_defect_of_the_caller(offset: int) -> None:
    offsets = OffsetTracker()
    offsets.take(5)
    offsets.take(6)
    offsets.done(5)
    with pytest.raises(ValueError, match="not in flight"):
        offsets.done(offset)


def test_offsets_must_ascend() -> None:
    offsets = OffsetTracker()
    offsets.take(5)
    with pytest.raises(ValueError, match="after"):
        offsets.take(5)
