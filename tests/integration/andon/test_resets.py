"""Kafka clients whose connections are reset again and again ask who leads, and get an answer once that is over."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import aiokafka.client
import pytest
import uvloop

from andon.events import silent
from andon.settings import KafkaSettings
from andon.stream.clients import reader, started
from tests.conftest import kafka_settings

pytestmark = pytest.mark.integration
CLIENTS = 8
RESETS_S = 3.0
"""Without `andon.stream.network_faults` all clients have stopped asking after a second."""


class Resetting:
    """Stands between clients and a broker, and resets every connection again and again."""

    def __init__(self, servers: str) -> None:
        self._host, self._port = servers.split(":")
        self._accepted: set[asyncio.StreamWriter] = set()

    async def serve(self, reading: asyncio.StreamReader, writing: asyncio.StreamWriter) -> None:
        self._accepted.add(writing)
        try:
            from_broker, to_broker = await asyncio.open_connection(self._host, int(self._port))
            await asyncio.gather(_pass_on(reading, to_broker), _pass_on(from_broker, writing))
        finally:
            self._accepted.discard(writing)
            writing.close()

    async def reset_for(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    await asyncio.sleep(0.015)
                    for writing in tuple(self._accepted):
                        self._reset(writing)

    def _reset(self, writing: asyncio.StreamWriter) -> None:
        self._accepted.discard(writing)
        if not writing.is_closing():
            at_once = struct.pack("ii", 1, 0)
            writing.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            writing.transport.abort()


async def _pass_on(reading: asyncio.StreamReader, writing: asyncio.StreamWriter) -> None:
    with suppress(OSError, RuntimeError):
        while data := await reading.read(65_536):
            writing.write(data)
            await writing.drain()
    writing.close()


@asynccontextmanager
async def resetting(kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Resetting]:
    """Clients connect to it, whatever address the broker gives them."""
    between = Resetting(kafka.bootstrap_servers)
    server = await asyncio.start_server(between.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connect = aiokafka.client.create_conn

    async def connect_to_it(host: str, _: int, **how: Any) -> Any:
        return await connect("127.0.0.1", port, **how)

    monkeypatch.setattr(aiokafka.client, "create_conn", connect_to_it)
    try:
        yield between
    finally:
        server.close()


async def _ask(network: Any) -> None:
    while True:
        await asyncio.wait({network.force_metadata_update()}, timeout=1.0)


async def _outlive(kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each client learns who leads after the resets."""
    async with resetting(kafka, monkeypatch) as between, AsyncExitStack() as clients:
        networks = [
            (await clients.enter_async_context(started(lambda: reader(kafka), kafka, silent)))._client
            for _ in range(CLIENTS)
        ]
        asking = [asyncio.create_task(_ask(network), name="ask") for network in networks]
        await between.reset_for(RESETS_S)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        return [await _learns(network) for network in networks]


async def _learns(network: Any) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(5.0):
            while not await network.force_metadata_update():
                await asyncio.sleep(0.1)
            return True
    return False


def test_clients_outlive_connections_that_are_reset(embedded_broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On uvloop, as every process of the line."""
    kafka = kafka_settings(embedded_broker, embedded=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(_outlive(kafka, monkeypatch)) == [True] * CLIENTS
