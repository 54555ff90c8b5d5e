"""Keeps the numbering of an idempotent producer whole when the broker refuses a batch.

The broker takes a producer's batches of a partition only in the order of their numbers. aiokafka (0.14) counts a batch
that was refused, the broker does not: after one record that is too large, every later batch of that partition would be
refused as out of order, until the process ends. Kafka's own Java client gives the numbers back, and so does this.
Source: Kafka, `TransactionManager.adjustSequencesDueToFailedBatch`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from aiokafka import AIOKafkaProducer


def give_back_refused_numbers(client: AIOKafkaProducer) -> None:
    """Call it once for each producer, before the producer is started."""
    numbers: Any = client._txn_manager
    accumulator: Any = client._message_accumulator
    pop = accumulator._pop_batch

    def popped(partition: Any) -> Any:
        batch = pop(partition)
        if batch.retry_count == 1:  # taken for the first time: it has just been numbered
            batch.failure = partial(_fail, batch.failure, numbers, batch)
        return batch

    if numbers is not None:
        accumulator._pop_batch = popped


def _fail(failure: Callable[..., None], numbers: Any, batch: Any, exception: Exception) -> None:
    """At once, so before the next batch of the partition is numbered: the client has one under way at a time."""
    if not batch.future.done():
        numbers.increment_sequence_number(batch.tp, -batch.record_count)
    failure(exception=exception)
