"""A producer that heals: the client's producer, and a new one in its place once its state is spoilt.

The broker takes an idempotent producer's batches of a partition only in the order of their numbers. The client
(aiokafka 0.14) counts a batch that was refused, and the broker does not. A broker that lost the end of its log, or has
forgotten the producer, expects other numbers than the client sends. From then on it refuses every batch of that
partition. So a producer is closed when one of its batches was refused, and a new one with a new id takes its place.
Senders send their records again, in order, if they were not acknowledged.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from andon.backoff import Backoff
from andon.errors import RetryableError
from andon.events import Emit, ProducerReplaced, Retrying

CLOSE_S = 2.5
"""Time limit for closing a client. A producer would flush for ever while the broker is away; its owner has already
awaited every acknowledgement that matters. Shorter than the time that a cancelled process has to end, so that the
process can still report that it has not drained."""
BACKOFF = Backoff(first_s=0.1, most_s=5.0)


class ProducerReplacedError(KafkaError):  # type: ignore[misc]  # aiokafka is untyped
    """A new producer has taken the place of the one that this record was handed to."""

    retriable = True


class Producer:
    """Started and stopped like a client. Event loop only."""

    def __init__(self, build: Callable[[], AIOKafkaProducer], timeout_s: float, emit: Emit) -> None:
        """`build` makes the client's producer, not started. `timeout_s`: how long a sender waits for a new one."""
        self._build = build
        self._timeout_s = timeout_s
        self.emit = emit
        self.client = build()
        """The client's producer, until it is replaced."""
        self._renewal: asyncio.Task[None] | None = None
        self._trouble = ""
        """Why there is no new producer yet."""

    async def start(self) -> None:
        await self.client.start()

    async def stop(self) -> None:
        """Flushes what the broker takes. Its owner limits the time."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.wait({self._renewal})
        await self.client.stop()

    async def usable(self) -> AIOKafkaProducer:
        """The client's producer; while it is being replaced, the new one.

        Raises RetryableError after `timeout_s` without a new one.
        """
        renewal = self._renewal
        if renewal is not None:
            done, _ = await asyncio.wait({renewal}, timeout=self._timeout_s)
            if not done:
                raise RetryableError(f"there is no new producer yet: {self._trouble or 'the broker does not answer'}")
            renewal.result()
        return self.client

    def spoilt(self, client: AIOKafkaProducer, reason: str) -> None:
        """The broker has refused a batch of `client`: replace it, if that has not begun yet."""
        if client is self.client and self._renewal is None:
            self._renewal = asyncio.create_task(self._renew(reason), name="producer.renew")

    async def _renew(self, reason: str) -> None:
        self._trouble = reason
        await end(self.client)
        attempt = 0
        while (client := await self._started()) is None:
            attempt += 1
            delay_s = BACKOFF.delay_s(attempt)
            self.emit(Retrying("a new producer", self._trouble, attempt, delay_s))
            await asyncio.sleep(delay_s)
        self.client = client
        self._renewal = None
        self.emit(ProducerReplaced(reason))

    async def _started(self) -> AIOKafkaProducer | None:
        client = self._build()
        try:
            async with asyncio.timeout(self._timeout_s):
                await client.start()
        except (KafkaError, OSError, TimeoutError) as error:
            self._trouble = str(error) or type(error).__name__
            await end(client)
            return None
        except BaseException:
            await end(client)
            raise
        return client


async def end(client: AIOKafkaProducer) -> None:
    """Close it. What the broker takes within CLOSE_S still arrives; the rest fails with ProducerReplacedError."""
    with suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(CLOSE_S):
            await client.stop()
    _fail_the_rest(client)
    with suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(CLOSE_S):
            await client.client.close()


def _fail_the_rest(client: AIOKafkaProducer) -> None:
    """The client has no call for it: its own `stop` waits until the broker has answered for every record."""
    accumulator: Any = client._message_accumulator
    waiting = [batch for batches in accumulator._batches.values() for batch in batches]
    for batch in [*waiting, *accumulator._pending_batches]:
        batch.failure(exception=ProducerReplacedError())
        batch._drain_waiter.exception()  # looked at, else asyncio writes a traceback
    accumulator._exception = ProducerReplacedError()
    if client._sender.sender_task is not None:
        client._sender.sender_task.cancel()
