"""Reads frames back from Kafka for pages. It connects when somebody first looks at a picture."""

import asyncio
from contextlib import AsyncExitStack

from andon.errors import FatalError, RetryableError
from andon.events import Emit, silent
from andon.messages import RecordRef
from andon.settings import KafkaSettings
from andon.stream.clients import consumer, reader, started
from andon.stream.offsets import Partition
from andon.stream.ranges import Enough, RangeReader, never
from andon.stream.reading import RecordReader
from andon.wire import Record
from sinks.channels.log import Log

START_S = 5.0
"""A page waits no longer for a broker that is away; the next one tries again."""


class LazyRecords:
    """A RecordReader and a RangeReader that a board without a broker can have. `close` it."""

    def __init__(self, settings: KafkaSettings, emit: Emit = silent) -> None:
        self._settings = settings.model_copy(update={"start_timeout_s": START_S})
        self._emit = emit
        self._stack = AsyncExitStack()
        self._log: Log | None = None
        self._turn = asyncio.Lock()

    async def read(self, ref: RecordRef) -> Record | None:
        """As RecordReader.read. Raises RetryableError while the broker is away or refuses the board."""
        return await (await self._connected()).records.read(ref)

    async def read_range(
        self, partition: Partition, first: int, last: int | None, key: bytes, enough: Enough = never
    ) -> list[Record]:
        """As RangeReader.read_range, and as `read`."""
        return await (await self._connected()).ranges.read_range(partition, first, last, key, enough)

    async def close(self) -> None:
        await self._stack.aclose()

    async def _connected(self) -> Log:
        async with self._turn:
            if self._log is None:
                settings = self._settings
                try:
                    one = await self._stack.enter_async_context(started(lambda: reader(settings), settings, self._emit))
                    many = await self._stack.enter_async_context(
                        started(lambda: consumer(settings, None), settings, self._emit)
                    )
                except FatalError as error:
                    raise RetryableError(str(error)) from None
                self._log = Log(RecordReader(one), RangeReader(many))
            return self._log
