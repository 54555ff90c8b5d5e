"""Publishes one record until the broker has it, also while a right is missing that only a person can give."""

from dataclasses import dataclass

from andon.backoff import Retrier
from andon.errors import FatalError, RetryableError
from andon.stream.publisher import Publisher
from andon.wire import Outgoing


@dataclass(frozen=True, slots=True)
class InsistingPublisher:
    """`what` names the work in the events that say why it does not get done."""

    publisher: Publisher
    retrier: Retrier
    what: str

    async def send(self, topic: str, record: Outgoing) -> None:
        """Returns when the broker has acknowledged the record. Raises TooLargeError."""
        await self.retrier.insist(self.what, lambda: self._attempt(topic, record))

    async def _attempt(self, topic: str, record: Outgoing) -> None:
        try:
            await (await self.publisher.send(topic, record))
        except FatalError as error:
            raise RetryableError(str(error)) from None
