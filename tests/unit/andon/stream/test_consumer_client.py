"""A look-up that a broker does not answer makes the client ask who leads the partition now."""

from collections.abc import Awaitable, Callable

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError

from andon.settings import KafkaSettings
from andon.stream.clients import consumer, reader
from andon.stream.consumer_client import ConsumerClient

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
