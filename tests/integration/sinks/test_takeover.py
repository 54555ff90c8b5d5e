"""A sink takes many partitions and cameras over: with few statements, and while its heartbeats go on."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka.consumer.group_coordinator import GroupCoordinator
from sqlalchemy import event, make_url

from andon.events import CommitRefused, PartitionsAssigned, PartitionsRevoked, silent
from andon.settings import KafkaSettings, Settings
from andon.stream.clients import consumer, started
from andon.stream.consumer import KafkaConsumer
from andon.stream.offsets import Ends, Partition
from andon.stream.reading import KafkaLogEnds
from andon.stream.stage import Limits, Stage
from andon.stream.topics import ensure_topics
from sinks.account import Account, AccountRules, Outlets
from sinks.judgement.ledger import SessionLedger
from sinks.judgement.state import CameraAccount
from sinks.store.store import Store
from sinks.store.stored import Batch, Opening, Position
from sinks.takeover import LogEnds
from tests.fakes import START, FakeClock, RecordedEvents
from tests.integration.sinks.outlets import MemoryOutlets
from tests.postgres_server import PostgresServer
from tests.slow_network import slow_network
from tests.unit.sinks.judgement.frames import DEFECT_RULES

pytestmark = pytest.mark.integration
PARTITIONS = 200
CAMERAS_EACH = 10
LATENCY_S = 0.005
BEGIN = Position(1, "", 0)


def of(topic: str) -> list[Partition]:
    return [Partition(topic, number) for number in range(PARTITIONS)]


def camera(number: int, place: int) -> CameraAccount:
    known = CameraAccount(f"camera-{number}-{place}")
    known.state.session = "s2"
    known.state.announced = ["s3"]
    for session in ("s1", "s2", "s3"):
        known.sessions[session] = SessionLedger()
        known.sessions[session].add(0, 99, "inspected", None)
        known.changed.add(session)
    return known


async def fill(store: Store, topic: str) -> None:
    """Accounts of 200 partitions and 2,000 cameras, each with three sessions of which two are open."""
    await store.begin([Opening(item, BEGIN, START, "the first") for item in of(topic)])
    cameras = {number: [camera(number, place) for place in range(CAMERAS_EACH)] for number in range(PARTITIONS)}
    await store.write([Batch(item, BEGIN, 0, START, states=cameras[item.partition]) for item in of(topic)])


class EmptyLogs:
    async def read(self, partitions: Collection[Partition]) -> Mapping[Partition, Ends]:
        return dict.fromkeys(partitions, Ends(0, 0))


def account(store: Store, ends: LogEnds, events: RecordedEvents) -> Account:
    outlets = MemoryOutlets()
    return Account(store, ends, Outlets(outlets, outlets), AccountRules(DEFECT_RULES, ()), FakeClock(), events)


@asynccontextmanager
async def statements(store: Store) -> AsyncIterator[list[str]]:
    """Those that the store runs meanwhile."""
    log: list[str] = []
    engine = store._database._engine

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        log.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield log
    event.remove(engine, "before_cursor_execute", note)


async def test_many_partitions_and_cameras_are_taken_over_with_a_few_statements(store: Store) -> None:
    await fill(store, "t")
    async with statements(store) as log:
        opened = await account(store, EmptyLogs(), RecordedEvents()).open(frozenset(of("t")))
    assert len(opened) == PARTITIONS
    assert {len(item.cameras) for item in opened.values()} == {CAMERAS_EACH}
    assert [sorted(known.sessions) for known in opened[Partition("t", 7)].cameras.values()] == [["s2", "s3"]] * 10
    assert len([statement for statement in log if "BEGIN" not in statement]) <= 4, log


async def test_many_partitions_are_opened_for_the_first_time_with_a_few_statements(store: Store) -> None:
    async with statements(store) as log:
        opened = await account(store, EmptyLogs(), RecordedEvents()).open(frozenset(of("t")))
    assert {item.resume_at for item in opened.values()} == {0}
    assert len([statement for statement in log if "BEGIN" not in statement]) <= 12, log


async def test_an_epoch_of_many_partitions_is_opened_with_a_few_statements(store: Store) -> None:
    await fill(store, "t")
    rules = AccountRules(DEFECT_RULES, (), log="another")
    outlets = MemoryOutlets()
    reopened = Account(store, EmptyLogs(), Outlets(outlets, outlets), rules, FakeClock(), RecordedEvents())
    async with statements(store) as log:
        opened = await reopened.open(frozenset(of("t")))
    assert {item.position for item in opened.values()} == {Position(2, "another", 0)}
    assert len([statement for statement in log if "BEGIN" not in statement]) <= 16, log


@dataclass
class Heartbeats:
    answered: int = 0
    missed: int = 0
    two: asyncio.Event = field(default_factory=asyncio.Event)


@pytest.fixture
def heartbeats(monkeypatch: pytest.MonkeyPatch) -> Heartbeats:
    counts = Heartbeats()
    genuine = GroupCoordinator._do_heartbeat

    async def beat(self: GroupCoordinator) -> bool:
        answered: bool = await genuine(self)
        counts.answered += answered
        counts.missed += not answered
        if counts.answered >= 2:
            counts.two.set()
        return answered

    monkeypatch.setattr(GroupCoordinator, "_do_heartbeat", beat)
    return counts


async def test_a_sink_stays_in_its_group_while_it_takes_over_from_a_slow_database(
    broker: KafkaSettings, postgres: PostgresServer, heartbeats: Heartbeats
) -> None:
    """200 partitions and 2,000 cameras, 5 ms to the database; and a store that takes longer than two heartbeats."""
    kafka = broker.model_copy(update={"partitions": PARTITIONS})
    await ensure_topics(Settings(kafka=kafka), silent)
    topic, place, events = kafka.inspections_topic, make_url(postgres.url), RecordedEvents()
    async with slow_network(str(place.host), int(place.port or 0), LATENCY_S) as network:
        filling = await Store.open(postgres.url)
        await fill(filling, topic)
        await filling.close()
        store = await Store.open(place.set(host="127.0.0.1", port=network.port).render_as_string(hide_password=False))
        network.trips = 0
        genuine = store.load

        async def load(partitions: Collection[Partition]) -> Any:
            known = await genuine(partitions)
            await heartbeats.two.wait()
            return known

        store.load = load  # type: ignore[method-assign]
        async with (
            started(lambda: consumer(kafka, None), kafka, silent) as asking,
            started(lambda: consumer(kafka, kafka.group_prefix), kafka, silent) as client,
        ):
            step, stop = account(store, KafkaLogEnds(asking), events), asyncio.Event()
            stage = Stage("sinks", KafkaConsumer(client), step, Limits(100, 10**6), FakeClock(), events)
            accounting = asyncio.create_task(step.run())
            running = asyncio.create_task(stage.run([topic], stop))
            async with asyncio.timeout(60):
                while len(stage.lanes) < PARTITIONS:
                    await asyncio.sleep(0.01)
            stop.set()
            await running
            accounting.cancel()
            await asyncio.gather(accounting, return_exceptions=True)
        await store.close()
    assert heartbeats.missed == 0
    assert events.of(PartitionsRevoked) == []
    assert events.of(CommitRefused) == []
    assert len([item for item in events.of(PartitionsAssigned) if item.partitions]) == 1
    assert network.trips <= 40
