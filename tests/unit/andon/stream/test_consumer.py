"""The client's errors become the line's own. The client is a fake that only raises."""

from collections.abc import Mapping
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    KafkaTimeoutError,
    RequestTimedOutError,
    TopicAuthorizationFailedError,
)

from andon.errors import FatalError, RetryableError
from andon.stream.consumer import KafkaConsumer, NotOwnerError
from andon.stream.offsets import Partition

HERE = Partition("andon.frames", 0)


class Failing:
    """An AIOKafkaConsumer that fails whatever it is asked."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def subscription(self) -> frozenset[str]:
        return frozenset({"andon.frames"})

    async def getmany(self, *partitions: TopicPartition, **rest: Any) -> Mapping[TopicPartition, list[object]]:
        raise self._error

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        raise self._error

    async def committed(self, partition: TopicPartition) -> int | None:
        raise self._error

    def highwater(self, partition: TopicPartition) -> int | None:
        raise self._error


def consumer(error: Exception) -> KafkaConsumer:
    return KafkaConsumer(cast(AIOKafkaConsumer, Failing(error)))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RequestTimedOutError(), RetryableError),
        (KafkaTimeoutError(), RetryableError),
        (CommitFailedError(), NotOwnerError),
        (GroupAuthorizationFailedError("andon.workers"), FatalError),
    ],
)
async def test_what_the_client_says_of_its_error_decides_what_a_commit_raises(
    error: KafkaError, kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        await consumer(error).commit({HERE: 1})


async def test_a_right_to_read_that_is_missing_ends_the_process_with_topic_right_and_remedy() -> None:
    with pytest.raises(FatalError) as raised:
        await consumer(TopicAuthorizationFailedError("andon.frames")).poll([HERE])
    for part in ("andon.frames", "ACLs Read and Describe", "kafka.sasl_username"):
        assert part in str(raised.value)
    assert "\n" not in str(raised.value)


async def test_a_group_that_the_broker_refuses_ends_the_process_with_the_remedy() -> None:
    with pytest.raises(FatalError, match="ACL Read on the group"):
        await consumer(GroupAuthorizationFailedError("andon.workers")).committed([HERE])


def test_the_end_of_a_partition_that_a_rebalance_has_just_taken_is_unknown() -> None:
    assert consumer(AssertionError("Partition is not assigned")).highwater(HERE) is None


class Regrowing:
    """A log that has lost its end, and gets ten records while it is asked for the first one since a time."""

    def __init__(self) -> None:
        self.end = 5

    async def end_offsets(self, partitions: list[TopicPartition]) -> Mapping[TopicPartition, int]:
        return dict.fromkeys(partitions, self.end)

    async def offsets_for_times(self, times: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, None]:
        self.end += 10
        return dict.fromkeys(times)


async def test_what_is_appended_between_two_questions_is_since_the_time() -> None:
    member = KafkaConsumer(cast(AIOKafkaConsumer, Regrowing()))
    member._timed[HERE.topic] = True
    assert await member.offset_since(HERE, 1_000) == 5
