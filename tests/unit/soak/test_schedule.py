from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from andon.settings import KafkaSettings
from sinks.store.database import LOCK_S
from tests.soak.schedule import ANYWHERE, LASTING, faults


@given(st.integers(0, 2**32))
def test_a_seed_reproduces_its_schedule(seed: int) -> None:
    assert faults(seed, LASTING, 20) == faults(seed, LASTING, 20)


@given(st.integers(0, 2**32))
def test_a_longer_soak_begins_as_a_shorter_one_does(seed: int) -> None:
    assert faults(seed, LASTING, 30)[:12] == faults(seed, LASTING, 12)


def test_seeds_differ() -> None:
    assert len({tuple(fault.kind for fault in faults(seed, LASTING, 15)) for seed in range(50)}) > 40


@given(st.integers(0, 2**32))
def test_every_kind_comes_once_before_one_comes_twice(seed: int) -> None:
    counts = Counter(fault.kind for fault in faults(seed, ANYWHERE, 2 * len(ANYWHERE)))
    assert counts == dict.fromkeys(ANYWHERE, 2)


@given(st.integers(0, 2**32))
def test_a_frozen_process_sleeps_longer_than_its_groups_session(seed: int) -> None:
    drawn = faults(seed, LASTING, 30)
    frozen = [fault for fault in drawn if fault.kind in ("freeze_worker", "freeze_sink")]
    assert frozen
    assert all(fault.for_s > KafkaSettings().session_timeout_s for fault in frozen)


@given(st.integers(0, 2**32))
def test_a_locked_store_stays_locked_for_longer_than_a_statement_waits(seed: int) -> None:
    locked = [fault for fault in faults(seed, LASTING, 30) if fault.kind == "lock_store"]
    assert locked
    assert all(fault.for_s > LOCK_S for fault in locked)


def test_only_a_broker_that_keeps_its_log_is_killed_or_rolled_back() -> None:
    assert set(LASTING) - set(ANYWHERE) == {"kill_broker", "large_record", "roll_back", "step_clock"}
