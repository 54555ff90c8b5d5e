"""Faults that the Kafka client does not expect in its network become errors that it tries again."""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest
import uvloop
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError, RequestTimedOutError
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.structs import BrokerMetadata

from andon.settings import KafkaSettings
from andon.stream import clients

SETTINGS = KafkaSettings()
NETWORKS: dict[str, Callable[[], tuple[Any, AIOKafkaClient]]] = {
    "consumer": lambda: _with_network(clients.consumer(SETTINGS, "a group")),
    "reader": lambda: _with_network(clients.reader(SETTINGS)),
    "admin": lambda: _with_network(clients.admin(SETTINGS)),
    "producer": lambda: _with_network(clients.producer(SETTINGS)),
    "plain producer": lambda: _with_network(clients.plain_producer(SETTINGS)),
}


def _with_network(client: Any) -> tuple[Any, AIOKafkaClient]:
    return getattr(client, "client", client), clients.network(client)


class Lost:
    """A connection that closes while its request waits."""

    def __init__(self, network: AIOKafkaClient) -> None:
        self._network = network

    def connected(self) -> bool:
        return True

    async def send(self, request: object, expect_response: bool) -> None:
        self._network._conns.clear()
        raise TimeoutError

    def close(self, reason: object = None) -> asyncio.Future[None]:
        raise AssertionError("it is closed")


@pytest.mark.parametrize("kind", NETWORKS)
async def test_a_request_that_times_out_after_its_connection_closed_has_timed_out(kind: str) -> None:
    client, network = NETWORKS[kind]()
    network._conns[1, ConnectionGroup.DEFAULT] = Lost(network)
    with pytest.raises(RequestTimedOutError):
        await network.send(1, object())
    client._closed = True  # it was never started, so there is nothing to close


@pytest.mark.parametrize(
    "error", [KeyError("another"), NotImplementedError("a version")], ids=lambda it: type(it).__name__
)
async def test_another_error_stays_what_it_is(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    client, network = NETWORKS["consumer"]()

    async def failing(self: Lost, request: object, expect_response: bool) -> None:
        raise error

    monkeypatch.setattr(Lost, "send", failing)
    network._conns[1, ConnectionGroup.DEFAULT] = Lost(network)
    with pytest.raises(type(error)):
        await network.send(1, object())
    client._closed = True


class Reset(Lost):
    """A connection that the broker has reset, before the client knows."""

    async def send(self, request: object, expect_response: bool = True) -> None:
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")


async def refused_by_the_loop(*args: object, **how: object) -> None:
    raise RuntimeError("the handler is closed")


def test_uvloop_raises_a_runtime_error_where_a_connection_was_just_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the tests below are of what happens."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        error = runner.run(_error_after_a_reset(monkeypatch))
    assert isinstance(error, RuntimeError)
    assert "the handler is closed" in str(error)


async def _error_after_a_reset(monkeypatch: pytest.MonkeyPatch) -> BaseException:
    """What a request raises in the moment between the reset and the end of the client's task that reads."""
    loop = asyncio.get_running_loop()
    accepted: asyncio.Future[asyncio.StreamWriter] = loop.create_future()
    outcome: asyncio.Future[BaseException] = loop.create_future()
    server = await asyncio.start_server(lambda _, writer: accepted.set_result(writer), "127.0.0.1", 0)

    async def nothing(self: AIOKafkaConnection) -> None:
        self._versions = {MetadataRequest.API_KEY: (0, 5)}

    monkeypatch.setattr(AIOKafkaConnection, "_do_version_lookup", nothing)
    connection = AIOKafkaConnection("127.0.0.1", server.sockets[0].getsockname()[1])
    await connection.connect()
    lost = connection._protocol.connection_lost

    def ask() -> None:
        try:
            connection.send(MetadataRequest(None))
        except Exception as error:
            outcome.set_result(error)
        else:
            outcome.set_result(AssertionError("it was sent"))

    def lost_and_asked(error: Exception | None) -> None:
        lost(error)
        loop.call_soon(ask)

    connection._protocol.connection_lost = lost_and_asked
    peer = await accepted
    peer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.transport.abort()
    try:
        return await asyncio.wait_for(outcome, 5.0)
    finally:
        server.close()
        connection.close()


@pytest.mark.parametrize("kind", NETWORKS)
async def test_a_request_on_a_connection_that_was_reset_has_no_connection(kind: str) -> None:
    client, network = NETWORKS[kind]()
    network._conns[1, ConnectionGroup.DEFAULT] = Reset(network)
    with pytest.raises(KafkaConnectionError, match="the broker has reset the connection"):
        await network.send(1, object())
    client._closed = True


@pytest.mark.parametrize("kind", NETWORKS)
async def test_a_broker_that_resets_a_new_connection_is_not_ready(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client, network = NETWORKS[kind]()
    network.cluster._brokers = {1: BrokerMetadata(1, "127.0.0.1", 9, None)}
    monkeypatch.setattr("aiokafka.client.create_conn", refused_by_the_loop)
    assert await network.ready(1) is False
    with pytest.raises(KafkaConnectionError):
        await network.bootstrap()
    client._closed = True


@pytest.mark.parametrize("kind", NETWORKS)
async def test_the_task_that_asks_who_leads_outlives_whatever_is_raised_in_it(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    client, network = NETWORKS[kind]()
    network.cluster._brokers = {1: BrokerMetadata(1, "127.0.0.1", 9, None)}
    network._conns[1, ConnectionGroup.DEFAULT] = Reset(network)
    network._sync_task = asyncio.create_task(network._md_synchronizer())
    for _ in range(2):
        async with asyncio.timeout(5.0):
            assert await network.force_metadata_update() is False
    assert not network._sync_task.done()
    assert "Unable to update metadata: RuntimeError" in caplog.text
    network._conns.clear()
    await network.close()
    client._closed = True
