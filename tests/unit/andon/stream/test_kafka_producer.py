"""The producer that is built here keeps its order, whatever the broker does. It is not started: no socket is opened."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import NotLeaderForPartitionError, RequestTimedOutError
from aiokafka.partitioner import murmur2
from aiokafka.producer.sender import SendProduceReqHandler

from andon.settings import KafkaSettings
from andon.stream.clients import producer
from andon.stream.offsets import Partition
from andon.stream.publisher import partition_of

HERE = Partition("andon.frames", 0)
LONG_S = 10_000.0


@pytest.fixture(params=[False, True], ids=["plain", "idempotent"])
async def client(request: pytest.FixtureRequest) -> AsyncIterator[AIOKafkaProducer]:
    built = producer(KafkaSettings(idempotent=request.param, request_timeout_s=1.0)).client
    yield built
    built._closed = True  # nothing is open


async def waiting_long(client: AIOKafkaProducer) -> Any:
    """The acknowledgement of a record that the client has taken, and not got rid of for long."""
    accumulator: Any = client._message_accumulator
    acknowledged = await accumulator.add_message(HERE, b"camera", b"picture", 1.0)
    accumulator._batches[HERE][0]._ctime -= LONG_S
    return acknowledged


@pytest.mark.parametrize("leader", [None, -1])
async def test_a_partition_without_a_leader_costs_no_record_its_place(
    client: AIOKafkaProducer, monkeypatch: pytest.MonkeyPatch, leader: int | None
) -> None:
    acknowledged = await waiting_long(client)
    accumulator: Any = client._message_accumulator
    monkeypatch.setattr(accumulator._cluster, "leader_for_partition", lambda partition: leader)
    accumulator.drain_by_nodes(ignore_nodes=())
    assert not acknowledged.done()
    assert len(accumulator._batches[HERE]) == 1


@pytest.mark.parametrize("error", [RequestTimedOutError, NotLeaderForPartitionError])
async def test_a_batch_that_did_not_arrive_is_sent_again_before_all_others(
    client: AIOKafkaProducer, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    if client._txn_manager is not None:
        client._txn_manager.set_pid_and_epoch(1, 0)
    acknowledged = await waiting_long(client)
    accumulator: Any = client._message_accumulator
    monkeypatch.setattr(accumulator._cluster, "leader_for_partition", lambda partition: 0)
    (batches,) = accumulator.drain_by_nodes(ignore_nodes=())[0].values()
    await accumulator.add_message(HERE, b"camera", b"the next", 1.0)

    async def fails(*_: object) -> None:
        raise error

    async def at_once(*_: object) -> None: ...

    monkeypatch.setattr(client.client, "send", fails)
    monkeypatch.setattr(client.client, "force_metadata_update", lambda: None)
    monkeypatch.setattr(client.client, "_maybe_wait_metadata", at_once)
    handler = SendProduceReqHandler(client._sender, batches)
    monkeypatch.setattr(handler, "_default_backoff", 0)
    await handler.do(0)
    assert not acknowledged.done()
    assert accumulator._batches[HERE][0] is batches[HERE]
    assert len(accumulator._batches[HERE]) == 2


def test_the_partition_of_a_key_is_the_one_that_every_kafka_client_chooses() -> None:
    for number in range(100):
        key = f"camera-{number}".encode()
        assert partition_of(key, 24) == (murmur2(key) & 0x7FFFFFFF) % 24
