from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from deploy.local.soak.schedule import ANYWHERE, LASTING, faults


@given(st.integers(0, 2**32))
def test_a_seed_reproduces_its_schedule(seed: int) -> None:
    assert faults(seed, LASTING, 20) == faults(seed, LASTING, 20)


@given(st.integers(0, 2**32))
def test_a_longer_soak_begins_as_a_shorter_one_does(seed: int) -> None:
    assert faults(seed, LASTING, 30)[:12] == faults(seed, LASTING, 12)


def test_seeds_differ() -> None:
    assert len({tuple(fault.kind for fault in faults(seed, LASTING, 9)) for seed in range(50)}) > 40


@given(st.integers(0, 2**32))
def test_every_kind_comes_once_before_one_comes_twice(seed: int) -> None:
    counts = Counter(fault.kind for fault in faults(seed, ANYWHERE, 2 * len(ANYWHERE)))
    assert counts == dict.fromkeys(ANYWHERE, 2)


@given(st.integers(0, 2**32))
def test_a_frozen_process_sleeps_longer_than_its_groups_session(seed: int) -> None:
    frozen = [fault for fault in faults(seed, LASTING, 30) if fault.kind in ("freeze_worker", "freeze_sink")]
    assert frozen
    assert all(fault.for_s > 10.0 for fault in frozen)
