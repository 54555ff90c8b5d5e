"""A look-up without an answer makes the client ask who leads the partition now; a client that has stopped fetching is
ended."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, KafkaTimeoutError

from andon.errors import FatalError
from andon.settings import KafkaSettings
from andon.stream.clients import consumer, reader
from andon.stream.consumer import KafkaConsumer
from andon.stream.consumer_client import ConsumerClient
from andon.stream.offsets import Partition

THERE = TopicPartition("frames", 0)
LOOKUPS: dict[str, Callable[[ConsumerClient], Awaitable[object]]] = {
    "by time": lambda client: client.offsets_for_times({THERE: 0}),
    "beginning": lambda client: client.beginning_offsets([THERE]),
    "end": lambda client: client.end_offsets([THERE]),
}


class SilentFetcher:
    """The leader that it knows never answers."""

    async def _timeout(self, *_: object) -> None:
        raise KafkaTimeoutError

    get_offsets_by_times = beginning_offsets = end_offsets = _timeout


@pytest.mark.parametrize("build", [lambda settings: consumer(settings, "g"), reader])
@pytest.mark.parametrize("lookup", LOOKUPS)
async def test_a_lookup_that_times_out_has_the_metadata_read_again(
    lookup: str, build: Callable[[KafkaSettings], ConsumerClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = build(KafkaSettings())
    updates: list[bool] = []
    monkeypatch.setattr(client, "_fetcher", SilentFetcher())
    monkeypatch.setattr(client._client, "force_metadata_update", lambda: updates.append(True))
    with pytest.raises(KafkaTimeoutError):
        await LOOKUPS[lookup](client)
    assert updates == [True]
    client._closed = True  # it was never started, so there is nothing to close


class EndedFetcher:
    """Its task has ended by `error`, or was cancelled."""

    def __init__(self, error: Exception | None) -> None:
        self.error_future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if error is None:
            self.error_future.cancel()
        else:
            self.error_future.set_exception(error)


def unexpected(cause: Exception) -> Exception:
    """What the client's task ends with, in place of the `cause`."""
    error: Exception = KafkaError("Unexpected error during data retrieval")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "why"),
    [(unexpected(KeyError("a partition")), "KeyError"), (None, "it was cancelled")],
    ids=["an error", "cancelled"],
)
async def test_a_client_whose_fetching_has_ended_ends_the_process(
    error: Exception | None, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = consumer(KafkaSettings(), "g")
    client.subscribe(["frames"])
    monkeypatch.setattr(client, "_fetcher", EndedFetcher(error))
    with pytest.raises(FatalError, match=f"can't read from Kafka: the client has stopped fetching: {why}"):
        await KafkaConsumer(client).poll([Partition("frames", 0)])
    client._closed = True
