"""What each refusal of a record means: try again, too large, or the end of the process."""

import pytest
from aiokafka import errors

from andon.errors import FatalError, RetryableError, TooLargeError
from andon.stream.refusals import no_such_topic, refusal


@pytest.mark.parametrize(
    "error",
    [errors.RequestTimedOutError(), errors.KafkaConnectionError(), errors.NotEnoughReplicasError()],
    ids=lambda error: type(error).__name__,
)
def test_what_the_client_calls_retriable_is_tried_again(error: errors.KafkaError) -> None:
    assert isinstance(refusal("t", error), RetryableError)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.KafkaTimeoutError(), "buffer is full"),
        (errors.OutOfOrderSequenceNumber(), "through a new one"),
        (errors.UnknownProducerId(), "through a new one"),
        (errors.ProducerFenced(), "through a new one"),
        (errors.ProducerClosed(), "through a new producer"),
        (errors.CorruptRecordException(), "damaged record"),
        (errors.InvalidTimestampError(), "message.timestamp.type to LogAppendTime"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_passes_is_tried_again_with_a_line_that_says_why(error: errors.KafkaError, words: str) -> None:
    reason = refusal("t", error)
    assert isinstance(reason, RetryableError)
    assert words in str(reason)
    assert "\n" not in str(reason)


def test_a_record_that_is_too_large_is_neither_tried_again_nor_the_end() -> None:
    assert isinstance(refusal("t", errors.MessageSizeTooLargeError()), TooLargeError)


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (errors.TopicAuthorizationFailedError("t"), "ACLs Write and Describe"),
        (errors.ClusterAuthorizationFailedError(), "ACL IdempotentWrite on the cluster"),
        (errors.UnsupportedVersionError(), "update the broker"),
        (errors.PolicyViolationError(), "its log says why"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_permanent_refusal_ends_the_process_with_a_line_that_names_topic_and_remedy(
    error: errors.KafkaError, remedy: str
) -> None:
    reason = refusal("andon.inspections", error)
    assert isinstance(reason, FatalError)
    assert str(reason).startswith("andon.inspections: ")
    assert remedy in str(reason)
    assert "\n" not in str(reason)


def test_a_topic_that_does_not_exist_names_the_command_that_makes_it() -> None:
    assert str(no_such_topic("t")) == "t: the broker has no such topic: `andon topics create` makes it"
