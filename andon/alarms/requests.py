"""Sends people's requests onto the topic of alarms: what a board's button does, and a PLC's, too.

async with AlarmRequests(settings.kafka) as requests:
    await requests.send(request("press-3", "acknowledge", by="PLC 7", at=now))
"""

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Self

from andon.alarms.messages import AlarmAction, AlarmRequest
from andon.errors import RetryableError
from andon.events import Emit, silent
from andon.settings import KafkaSettings
from andon.stream.clients import producer, started
from andon.stream.publisher import KafkaPublisher
from andon.wire import encode

SEND_S = 5.0
"""A person waits for it."""


def request(
    camera_id: str,
    action: AlarmAction,
    by: str,
    at: datetime,
    alarms: Sequence[str] = (),
    **more: object,
) -> AlarmRequest:
    """A new request. `more`: `note`, and `for_s` of a shelf. Raises ValidationError."""
    fields = {"camera_id": camera_id, "action": action, "by": by, "at": at, "alarms": tuple(alarms)}
    return AlarmRequest.model_validate({"request_id": secrets.token_hex(12), **fields, **more})


class AlarmRequests:
    """Connects at the first request, so that a board starts without a broker. Event loop only."""

    def __init__(self, kafka: KafkaSettings, emit: Emit = silent) -> None:
        self._kafka = kafka.model_copy(update={"start_timeout_s": SEND_S})
        self._emit = emit
        self._stack = AsyncExitStack()
        self._publisher: KafkaPublisher | None = None
        self._connecting = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def send(self, request: AlarmRequest) -> None:
        """Returns when the broker has the request. Raises RetryableError while it is away, FatalError for a right that
        is missing."""
        try:
            async with asyncio.timeout(SEND_S):
                publisher = await self._connected()
                await (await publisher.send(self._kafka.alarms_topic, encode(request)))
        except TimeoutError:
            raise RetryableError(f"Kafka has not taken the request within {SEND_S:g} s") from None

    async def close(self) -> None:
        await self._stack.aclose()

    async def _connected(self) -> KafkaPublisher:
        async with self._connecting:
            if self._publisher is None:
                opening = started(lambda: producer(self._kafka, self._emit), self._kafka, self._emit)
                self._publisher = KafkaPublisher(await self._stack.enter_async_context(opening))
            return self._publisher
