"""The way to the decoders' threads for many pictures at once.

What waits is handed over several pictures at a time: each hand-over wakes a thread and then the event loop.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

from andon.clock import Clock
from workers.decoding.decode import Decoded, Limits, decode

TOGETHER = 4
"""Pictures in one hand-over at most: the first waits for the last."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A picture and what decoding it took, in seconds."""

    decoded: Decoded
    decode_s: float


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    payload: bytes
    content_type: str
    answer: asyncio.Future[Timed]


class Decoding:
    """Decodes in the order in which it is asked. Event loop only."""

    def __init__(self, threads: Executor, count: int, limits: Limits, enough_px: int, clock: Clock) -> None:
        """`count` threads; `enough_px`: see `decode`."""
        self._threads = threads
        self._count = count
        self._limits = limits
        self._enough_px = enough_px
        self._clock = clock
        self._waiting: deque[_Asked] = deque()
        self._busy = 0
        self._called = False

    def __len__(self) -> int:
        """Pictures that no thread has yet."""
        return len(self._waiting)

    async def decode(self, payload: bytes, content_type: str) -> Timed:
        """Cancelled, it is forgotten. Raises PoisonError as `decode.decode` does."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Timed] = loop.create_future()
        self._waiting.append(_Asked(payload, content_type, answer))
        if not self._called and self._busy < self._count:
            self._called = True
            loop.call_soon(self._hand_over)  # not at once: the others of the same fetch ask in this turn, too
        return await answer

    def _hand_over(self) -> None:
        """Share what waits out between the threads that are free."""
        self._called = False
        while self._waiting and self._busy < self._count:
            free = self._count - self._busy
            size = min(TOGETHER, -(-len(self._waiting) // free))
            asked = [self._waiting.popleft() for _ in range(size)]
            self._busy += 1
            done = asyncio.get_running_loop().run_in_executor(self._threads, self._decoded, asked)
            done.add_done_callback(partial(self._give, asked))

    def _give(self, asked: Sequence[_Asked], done: asyncio.Future[list[Timed | Exception]]) -> None:
        self._busy -= 1
        self._hand_over()
        if done.cancelled():
            return
        for item, answer in zip(asked, done.result(), strict=True):
            if item.answer.done():  # cancelled meanwhile
                continue
            if isinstance(answer, Timed):
                item.answer.set_result(answer)
            else:
                item.answer.set_exception(answer)

    def _decoded(self, asked: Sequence[_Asked]) -> list[Timed | Exception]:
        """On a decoder's thread."""
        return [self._timed(item) for item in asked]

    def _timed(self, item: _Asked) -> Timed | Exception:
        since = self._clock.monotonic()
        try:
            decoded = decode(item.payload, item.content_type, self._limits, self._enough_px)
        except Exception as error:  # the record's boundary: raised where it is awaited
            return error
        return Timed(decoded, max(0.0, self._clock.monotonic() - since))
