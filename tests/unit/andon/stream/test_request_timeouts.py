"""A request whose connection is gone when it times out fails like any other that gets no answer."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.errors import RequestTimedOutError

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


async def test_another_missing_key_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    client, network = NETWORKS["consumer"]()

    async def failing(self: Lost, request: object, expect_response: bool) -> None:
        raise KeyError("another")

    monkeypatch.setattr(Lost, "send", failing)
    network._conns[1, ConnectionGroup.DEFAULT] = Lost(network)
    with pytest.raises(KeyError):
        await network.send(1, object())
    client._closed = True
