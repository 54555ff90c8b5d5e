"""The largest record that each topic takes, as far as it is known: a record above it is refused before it is sent.

A batch that the broker refuses costs a new producer. So a camera whose pictures are all too large must not find out
anew with each of them.
"""

from collections.abc import Mapping

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from andon.errors import AndonError, RetryableError, TooLargeError
from andon.wire import Outgoing

BATCH_BYTES = 1_000_000
"""Bytes of the records of a partition that a producer sends together. A larger record is sent by itself."""
BATCH_OVERHEAD = 1_000
"""Bytes by which a full batch may exceed BATCH_BYTES."""


class SizeLimits:
    """`max.message.bytes` of the topics: read from the broker, or learned from its refusals."""

    def __init__(self) -> None:
        self._largest: dict[str, int] = {}
        self._narrow: set[str] = set()

    def read(self, limits: Mapping[str, int]) -> None:
        """What the broker says; it replaces what was learned of these topics."""
        self._largest.update(limits)
        wide = {topic for topic, limit in limits.items() if limit >= BATCH_BYTES + BATCH_OVERHEAD}
        self._narrow = (self._narrow | limits.keys()) - wide

    def forget(self) -> None:
        """Somebody may have raised them meanwhile."""
        self._largest.clear()

    def narrow(self, topic: str) -> bool:
        """Whether the topic takes no full batch: each of its records is sent in a batch of its own."""
        return topic in self._narrow

    def check(self, topic: str, size_bytes: int) -> None:
        """Raises TooLargeError for a record above the topic's limit."""
        limit = self._largest.get(topic)
        if limit is not None and size_bytes > limit:
            raise too_large(topic, size_bytes)

    def refused(self, topic: str, size_bytes: int, *, alone: bool) -> AndonError:
        """The broker found a batch too large. Returns what that means for a record of it.

        `alone`: the record was sent in a batch of its own.
        """
        if not alone and size_bytes <= BATCH_BYTES:  # the client puts a larger record into a batch of its own
            self._narrow.add(topic)
            return RetryableError(f"{topic}: takes no batch of this size; its records are sent one by one from now on")
        self._largest[topic] = min(size_bytes - 1, self._largest.get(topic, size_bytes))
        return too_large(topic, size_bytes)


def too_large(topic: str, size_bytes: int) -> TooLargeError:
    return TooLargeError(f"{topic}: takes no record of {size_bytes} bytes; raise its max.message.bytes")


def batch_bytes(record: Outgoing) -> int:
    """The size of a batch of this one record, or a few bytes more: what the broker measures."""
    headers = list(record.headers)
    return int(DefaultRecordBatchBuilder.estimate_size_in_bytes(record.key, record.value, headers))
