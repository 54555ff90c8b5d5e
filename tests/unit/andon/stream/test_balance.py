"""How the members of a group share partitions: evenly, and what runs stays where it is."""

from hypothesis import given
from hypothesis import strategies as st

from andon.stream.balance import Claim, shared_out

NEW = Claim(-1, frozenset())
numbers = st.integers(0, 15)
claims = st.dictionaries(
    st.sampled_from("abcdef"), st.builds(Claim, st.integers(-1, 9), st.frozensets(numbers)), min_size=1
)
loads = st.dictionaries(numbers, st.integers(0, 5))


def work(share: frozenset[int], loads: dict[int, int]) -> int:
    return sum(loads.get(partition, 0) for partition in share)


def settled(shares: dict[str, frozenset[int]], generation: int = 1) -> dict[str, Claim]:
    return {member: Claim(generation, share) for member, share in shares.items()}


@given(claims, loads)
def test_each_partition_has_one_member(claims: dict[str, Claim], loads: dict[int, int]) -> None:
    shares = shared_out(range(16), claims, loads)
    assert shares.keys() == claims.keys()
    assert sorted(partition for share in shares.values() for partition in share) == list(range(16))


@given(claims, loads)
def test_what_is_shared_out_stays_as_it_is(claims: dict[str, Claim], loads: dict[int, int]) -> None:
    shares = shared_out(range(16), claims, loads)
    assert shared_out(range(16), settled(shares), loads) == shares


def test_cameras_are_spread_evenly_however_they_lie() -> None:
    loads = {1: 1, 2: 1, 9: 1, 14: 1}
    shares = shared_out(range(16), {"a": NEW, "b": NEW}, loads)
    assert sorted(work(share, loads) for share in shares.values()) == [2, 2]
    assert sorted(map(len, shares.values())) == [8, 8]


def test_a_member_that_comes_takes_no_more_than_its_share() -> None:
    loads = dict.fromkeys(range(12), 1)
    before = shared_out(range(16), {"a": NEW, "b": NEW}, loads)
    after = shared_out(range(16), {**settled(before), "c": NEW}, loads)
    assert [work(after[member], loads) for member in "abc"] == [4, 4, 4]
    assert work(after["a"] - before["a"], loads) == work(after["b"] - before["b"], loads) == 0


def test_what_a_member_leaves_is_taken_over_and_nothing_else_moves() -> None:
    loads = dict.fromkeys(range(12), 1)
    before = shared_out(range(16), {"a": NEW, "b": NEW, "c": NEW}, loads)
    after = shared_out(range(16), settled({member: before[member] for member in "ab"}), loads)
    assert before["a"] <= after["a"]
    assert before["b"] <= after["b"]


def test_one_camera_more_or_less_moves_none() -> None:
    before = {"a": frozenset({0, 1, 2}), "b": frozenset({3, 4})}
    shares = shared_out(range(6), settled(before), dict.fromkeys(range(5), 1))
    assert before["a"] <= shares["a"]
    assert before["b"] <= shares["b"]


def test_a_member_that_was_frozen_gets_nothing_back_that_is_anothers_now() -> None:
    claims = {"frozen": Claim(3, frozenset(range(4))), "other": Claim(4, frozenset(range(4)))}
    shares = shared_out(range(8), claims, dict.fromkeys(range(4), 0))
    assert shares["other"] >= frozenset(range(4))
