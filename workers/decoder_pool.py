"""Hands work to the decoders' threads, a few pieces at a time: each hand-over wakes a thread and then the loop."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from andon.clock import Clock
from andon.errors import FatalError, PoisonError
from andon.pictures.picture import Bgr, DecodedPicture, PictureLimits
from andon.pictures.reader import decode
from workers.threads import NO_LIMIT, TimeLimit

T = TypeVar("T")
TOGETHER = 4
"""Pictures in one hand-over at most. The first waits for the last."""


@dataclass(frozen=True, slots=True, eq=False)
class _Request:
    work: Callable[[], Any] = field(repr=False)
    response: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class DecoderOptions:
    threads: int
    limits: PictureLimits
    enough_px: int
    """See `decode`."""
    time_limit: TimeLimit = NO_LIMIT
    """For the decoding of one picture."""


class DecoderPool:
    """Decodes in the order of the calls. Event loop only."""

    def __init__(self, threads: Executor, options: DecoderOptions, clock: Clock) -> None:
        """`threads` has `options.threads` of them, for nothing else."""
        self._threads = threads
        self._options = options
        self._clock = clock
        self._waiting: deque[_Request] = deque()
        self._busy = 0
        self._scheduled = False
        self._closed = False

    def __len__(self) -> int:
        """Pictures that no thread has taken yet."""
        return len(self._waiting)

    async def decode(self, payload: bytes, content_type: str) -> DecodedPicture[Bgr]:
        """A cancelled call is dropped. Raises PoisonError: the picture can't be decoded."""
        return await self.run(lambda: self._picture(payload, content_type))

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns, which runs on a decoder's thread. A cancelled call is dropped.

        Raises PoisonError: `work` did, or it failed otherwise; FatalError: `work` did.
        """
        if self._closed:
            raise asyncio.CancelledError
        loop = asyncio.get_running_loop()
        response: asyncio.Future[T] = loop.create_future()
        self._waiting.append(_Request(work, response))
        if not self._scheduled and self._busy < self._options.threads:
            self._scheduled = True
            loop.call_soon(self._hand_over)  # the other pictures of the same fetch are added in this turn, too
        return await response

    def close(self) -> None:
        """Decode nothing more: the threads are about to end. Calls that wait are cancelled."""
        self._closed = True
        for request in self._waiting:
            request.response.cancel()
        self._waiting.clear()

    def _hand_over(self) -> None:
        """Share the waiting pictures out between the idle threads."""
        self._scheduled = False
        if self._closed:
            return
        self._waiting = deque(request for request in self._waiting if not request.response.done())  # not cancelled
        while self._waiting and self._busy < self._options.threads:
            idle = self._options.threads - self._busy
            size = min(TOGETHER, -(-len(self._waiting) // idle))
            requests = [self._waiting.popleft() for _ in range(size)]
            self._busy += 1
            done = asyncio.get_running_loop().run_in_executor(self._threads, self._decode_all, requests)
            done.add_done_callback(partial(self._respond, requests))

    def _respond(self, requests: Sequence[_Request], done: asyncio.Future[list[Any]]) -> None:
        self._busy -= 1
        if done.cancelled():  # the threads are shut down
            return
        self._hand_over()
        for request, outcome in zip(requests, done.result(), strict=True):
            if request.response.done():  # cancelled meanwhile
                continue
            if isinstance(outcome, Exception):
                request.response.set_exception(outcome)
            else:
                request.response.set_result(outcome)

    def _decode_all(self, requests: Sequence[_Request]) -> list[Any]:
        """On a decoder's thread."""
        return [self._decode(request) for request in requests]

    def _decode(self, request: _Request) -> Any:
        try:
            with self._options.time_limit():
                return request.work()
        except (PoisonError, FatalError, MemoryError) as error:  # too little memory is not the picture's fault
            return error
        except Exception as error:  # the record's boundary: a bug in a decoder costs this picture and no other
            return PoisonError("undecodable", f"the decoder failed: {type(error).__name__}: {str(error)[:200]}")

    def _picture(self, payload: bytes, content_type: str) -> DecodedPicture[Bgr]:
        """On a decoder's thread."""
        options, since_s = self._options, self._clock.monotonic()
        picture = decode(payload, content_type, options.limits, options.enough_px)
        return replace(picture, decode_s=max(0.0, self._clock.monotonic() - since_s))
