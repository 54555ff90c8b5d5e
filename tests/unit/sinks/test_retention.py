"""A sink prunes what it owns, again and again, and goes on after a failure."""

from datetime import timedelta
from typing import cast

import pytest
from pydantic import ValidationError

from andon.errors import RetryableError
from andon.events import PruningFailed, StorePruned
from andon.settings import Settings
from andon.stream.broker_clock import BrokerClock
from sinks.channels.evidence_retention import FileCounts
from sinks.retention import EVERY_S, FIRST_S, EarlierClock, EvidenceThread, Retention, prunable
from sinks.store.prune_queries import PruneCounts
from sinks.store.retention import StoreRetention
from tests.fakes import START, FakeClock, RecordedEvents


class FakeStore:
    def __init__(self) -> None:
        self.requests: list[frozenset[int] | None] = []
        self.away = False

    async def prune(self, partitions: frozenset[int] | None = None) -> PruneCounts:
        self.requests.append(partitions)
        if self.away:
            raise RetryableError("the store is locked")
        return PruneCounts(parts=7)


class FakeEvidence:
    passes = 0

    async def prune(self, *, dry_run: bool = False) -> FileCounts:
        self.passes += 1
        return FileCounts(2, 300)


class StopError(Exception):
    """Ends a loop that would go on for ever."""


class Rig:
    def __init__(self, *owned: int) -> None:
        self.store, self.evidence, self.events = FakeStore(), FakeEvidence(), RecordedEvents()
        self.pauses: list[float] = []
        self.owned = frozenset(owned)
        self.retention = Retention(
            cast(StoreRetention, self.store),
            cast(EvidenceThread, self.evidence),
            lambda: self.owned,
            self.events,
            self._pause,
        )

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if len(self.pauses) == 3:
            raise StopError


async def test_only_the_partitions_that_the_sink_owns_now_are_pruned() -> None:
    rig = Rig(3, 4)
    await rig.retention.prune()
    rig.owned = frozenset({4})
    await rig.retention.prune()
    assert rig.store.requests == [frozenset({3, 4}), frozenset({4})]


async def test_the_owner_of_partition_0_prunes_the_evidence() -> None:
    owner, other = Rig(0, 3), Rig(4)
    for rig in (owner, other):
        await rig.retention.prune()
    assert (owner.evidence.passes, other.evidence.passes) == (1, 0)
    assert owner.events.of(StorePruned) == [StorePruned(rows=7, pictures=2, bytes=300)]


async def test_a_pass_follows_every_hour_also_after_one_that_failed() -> None:
    rig = Rig(3)
    rig.store.away = True
    with pytest.raises(StopError):
        await rig.retention.run()
    assert rig.pauses == [FIRST_S, EVERY_S, EVERY_S]
    assert rig.events.of(PruningFailed) == [PruningFailed("the store is locked")] * 2


def test_sessions_are_kept_for_longer_than_kafka_keeps_their_records() -> None:
    kafka = {"retention_minutes": 7 * 24 * 60}
    Settings.model_validate({"kafka": kafka, "sinks": {"keep_days": {"sessions": 14}}})
    with pytest.raises(ValidationError, match=r"sinks\.keep_days\.sessions: 13 days are less than twice"):
        Settings.model_validate({"kafka": kafka, "sinks": {"keep_days": {"sessions": 13}}})


@pytest.mark.parametrize("ahead_s", [-1e9, 1e9])
def test_what_is_old_is_judged_by_the_earlier_of_the_hosts_and_the_brokers_clock(ahead_s: float) -> None:
    machine = FakeClock()
    clock = BrokerClock(machine)
    clock.acknowledged("broker 1", 0.0, round((START.timestamp() + ahead_s) * 1000))
    earlier = EarlierClock(clock).now()
    assert abs((earlier - min(START, START + timedelta(seconds=ahead_s))).total_seconds()) < 1


def test_nothing_is_deleted_while_the_sink_does_not_know_the_time() -> None:
    clock = BrokerClock(FakeClock())
    assert prunable(clock, lambda: frozenset({0})) == frozenset()
    clock.acknowledged("broker 1", 0.0, round(START.timestamp() * 1000))
    assert prunable(clock, lambda: frozenset({0})) == {0}
