"""Clients whose connections are reset again and again work once that is over, and call it what it is meanwhile.

On uvloop, as every process of the line: only there a write to a connection that was just reset raises RuntimeError.
"""

import asyncio
import itertools
from collections.abc import Awaitable
from contextlib import AsyncExitStack, suppress
from typing import Any
from urllib.parse import urlsplit

import aiokafka.client
import pytest
import uvloop

from andon import redis as andon_redis
from andon.events import silent
from andon.settings import KafkaSettings
from andon.stream.clients import reader, started
from tests.conftest import kafka_settings
from tests.resetting_network import resetting_network

pytestmark = pytest.mark.integration
CLIENTS = 8
RESETS_S = 3.0
"""Without `andon.stream.network_faults` all Kafka clients have stopped asking after a second."""


def on_uvloop(trial: Awaitable[Any]) -> Any:
    async def run() -> Any:
        return await trial

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())


def test_kafka_clients_ask_who_leads_as_before(embedded_broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kafka = kafka_settings(embedded_broker, embedded=True)
    assert on_uvloop(_answers_after_resets(kafka, monkeypatch)) == [True] * CLIENTS


async def _answers_after_resets(kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    host, port = kafka.bootstrap_servers.split(":")
    connect = aiokafka.client.create_conn
    async with resetting_network(host, int(port)) as between, AsyncExitStack() as clients:

        async def connect_to_it(_host: str, _port: int, **how: Any) -> Any:
            return await connect("127.0.0.1", between.port, **how)  # whatever address the broker gives

        monkeypatch.setattr(aiokafka.client, "create_conn", connect_to_it)
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


async def _ask(network: Any) -> None:
    while True:
        await asyncio.wait({network.force_metadata_update()}, timeout=1.0)


async def _learns(network: Any) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(5.0):
            while not await network.force_metadata_update():
                await asyncio.sleep(0.1)
            return True
    return False


def test_a_redis_that_resets_connections_is_away_and_nothing_else(valkey_url: str) -> None:
    answers, faults = on_uvloop(_commands_under_resets(urlsplit(valkey_url).port or 0))
    assert answers > 0
    assert not faults


async def _commands_under_resets(port: int) -> tuple[int, set[str]]:
    """How many commands had an answer, and the errors that do not say that Redis is away."""
    answers, faults, over = itertools.count(), set[str](), asyncio.Event()

    async def use(name: str) -> None:
        while not over.is_set():
            try:
                await client.incr(name)
                next(answers)
            except andon_redis.AWAY:
                pass
            except Exception as error:
                faults.add(repr(error))
            await asyncio.sleep(0)

    async with resetting_network("127.0.0.1", port) as between:
        client = andon_redis.client(f"redis://127.0.0.1:{between.port}/0", 1.0)
        using = [asyncio.create_task(use(f"resets.{number}"), name="use") for number in range(CLIENTS)]
        await between.reset_for(RESETS_S)
        over.set()
        async with asyncio.timeout(5.0):
            await asyncio.gather(*using)
        await client.aclose()
        return next(answers), faults
