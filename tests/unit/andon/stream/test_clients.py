"""How clients are built, and that a client that is closed hides neither an error nor a cancellation."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from andon.errors import FatalError
from andon.events import silent
from andon.settings import KafkaSettings
from andon.stream import clients
from andon.stream.clients import consumer, started
from tests.fakes import until_idle


class LeakyClient:
    """Lets out the cancellation of a task of its own when it is stopped, as aiokafka 0.14 does without a broker."""

    _client = None

    async def start(self) -> None:
        """It is there at once."""

    async def stop(self) -> None:
        raise asyncio.CancelledError


BUILD = cast("Callable[[], Any]", LeakyClient)


@pytest.fixture(autouse=True)
def broker_in_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    async def in_reach(network: object) -> None:
        """There is no broker."""

    monkeypatch.setattr("andon.stream.clients.require_reach", in_reach)


async def test_the_end_of_a_clients_own_task_does_not_hide_why_the_process_ends() -> None:
    with pytest.raises(FatalError, match="the topic is gone"):
        async with started(BUILD, KafkaSettings(), silent):
            raise FatalError("the topic is gone")


async def test_whoever_is_cancelled_while_a_client_is_closed_ends_cancelled() -> None:
    async def work() -> None:
        async with started(BUILD, KafkaSettings(), silent):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await until_idle()
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


@pytest.mark.parametrize(("session_s", "heartbeat_ms"), [(10.0, 500), (45.0, 500), (1.0, 300)])
def test_a_member_hears_of_a_change_within_half_a_second_and_of_its_session_s_end_in_time(
    monkeypatch: pytest.MonkeyPatch, session_s: float, heartbeat_ms: int
) -> None:
    built: list[dict[str, Any]] = []
    monkeypatch.setattr(clients, "ConsumerClient", lambda **settings: built.append(settings))
    consumer(KafkaSettings(session_timeout_s=session_s), "a group")
    assert built[0]["heartbeat_interval_ms"] == heartbeat_ms


def test_no_member_stands_without_a_new_topics_partitions_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[dict[str, Any]] = []
    monkeypatch.setattr(clients, "ConsumerClient", lambda **settings: built.append(settings))
    consumer(KafkaSettings(), "a group")
    assert built[0]["metadata_max_age_ms"] == 15_000
