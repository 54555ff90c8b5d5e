"""Reads frames back from Kafka for pages. It connects when somebody first looks at a picture."""

import asyncio
from contextlib import AsyncExitStack

from andon.errors import FatalError, RetryableError
from andon.events import Emit, silent
from andon.messages import RecordRef
from andon.settings import KafkaSettings
from andon.stream.clients import reader, started
from andon.stream.reading import RecordReader
from andon.wire import Record

START_S = 5.0
"""A page waits no longer for a broker that is away; the next one tries again."""


class LazyRecords:
    """A RecordReader that a board without a broker can have. `close` it."""

    def __init__(self, settings: KafkaSettings, emit: Emit = silent) -> None:
        self._settings = settings.model_copy(update={"start_timeout_s": START_S})
        self._emit = emit
        self._stack = AsyncExitStack()
        self._reader: RecordReader | None = None
        self._turn = asyncio.Lock()

    async def read(self, ref: RecordRef) -> Record | None:
        """As RecordReader.read. Raises RetryableError while the broker is away or refuses the board."""
        return await (await self._connected()).read(ref)

    async def close(self) -> None:
        await self._stack.aclose()

    async def _connected(self) -> RecordReader:
        async with self._turn:
            if self._reader is None:
                try:
                    client = await self._stack.enter_async_context(
                        started(lambda: reader(self._settings), self._settings, self._emit)
                    )
                except FatalError as error:
                    raise RetryableError(str(error)) from None
                self._reader = RecordReader(client)
            return self._reader
