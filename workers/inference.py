"""Keeps one detector busy: two batches are with it, on threads of their own if it allows that; the next gathers."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass

from andon.clock import Clock
from andon.errors import FatalError, PoisonError
from andon.events import BatchInferred, Emit
from workers.batcher import Batch, Batcher
from workers.detector import Detector, Found, Picture


@dataclass(frozen=True, slots=True)
class Seen:
    """What the model saw in one picture and what that took."""

    found: Found
    wait_s: float
    infer_s: float
    batch_size: int


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    picture: Picture
    since: float
    answer: asyncio.Future[Seen]


@dataclass(frozen=True, slots=True)
class _Answers:
    started_at: float
    infer_s: float
    answers: list[Found | PoisonError]


def detector_threads(count: int = 1) -> ThreadPoolExecutor:
    """One thread loads the model, and runs it, too, where it may be given only one batch at once."""
    return ThreadPoolExecutor(count, thread_name_prefix="detector")


class Detecting:
    """The way to the detector for many frames at once. Event loop only; `run` must be running."""

    def __init__(
        self, detector: Detector, threads: Executor, batcher: Batcher[_Asked], clock: Clock, emit: Emit
    ) -> None:
        self._detector = detector
        self._threads = threads
        self._batcher = batcher
        self._clock = clock
        self._emit = emit
        self._inferring = 0
        self._wake = asyncio.Event()

    async def detect(self, camera_id: str, picture: Picture) -> Seen:
        """What is in `picture`. Cancelled, it is forgotten. Raises PoisonError `detector_error` if it fails on it."""
        answer: asyncio.Future[Seen] = asyncio.get_running_loop().create_future()
        now = self._clock.monotonic()
        self._batcher.add(camera_id, _Asked(picture, now, answer), now)
        self._wake.set()
        return await answer

    async def run(self) -> None:
        """For ever. Raises FatalError when the detector breaks its promise."""
        async with asyncio.TaskGroup() as batches:
            while True:
                batch = await self._next()
                self._inferring += 1
                batches.create_task(self._infer(batch), name="worker.batch")

    async def _next(self) -> Batch[_Asked]:
        """The batch that closes next: by age only while the detector is free, full ones up to one ahead of it."""
        while True:
            self._wake.clear()
            now = self._clock.monotonic()
            if self._inferring < 2:
                batch = self._batcher.take(now, full_only=self._inferring > 0)
                if batch is not None:
                    return batch
            due = self._batcher.due_at if self._inferring == 0 else None
            try:
                async with asyncio.timeout(None if due is None else max(0.0, due - now)):
                    await self._wake.wait()
            except TimeoutError:
                pass  # the first frame has waited long enough

    async def _infer(self, batch: Batch[_Asked]) -> None:
        asked = [item for item in batch.items if not item.answer.cancelled()]
        loop = asyncio.get_running_loop()
        try:
            done = await loop.run_in_executor(self._threads, self._answers, [item.picture for item in asked])
        finally:
            self._inferring -= 1
            self._wake.set()
        for item, answer in zip(asked, done.answers, strict=True):
            _give(item, answer, done, len(asked))
        self._emit(BatchInferred(len(asked), batch.wait_s, done.infer_s, self._detector.info.runtime))

    def _answers(self, pictures: Sequence[Picture]) -> _Answers:
        """On a thread of the detector's."""
        started_at = self._clock.monotonic()
        answers = self._together(pictures) if pictures else []
        return _Answers(started_at, max(0.0, self._clock.monotonic() - started_at), answers)

    def _together(self, pictures: Sequence[Picture]) -> list[Found | PoisonError]:
        """A batch that fails is taken one by one, so that only the picture that it fails on is lost."""
        try:
            found = self._detector.detect(pictures)
        except Exception as error:  # the record's boundary: counted and quarantined where it is awaited
            if len(pictures) > 1:
                return [answer for picture in pictures for answer in self._together([picture])]
            return [PoisonError("detector_error", _last_line(error))]
        if len(found) != len(pictures):
            raise FatalError(f"the detector gave {len(found)} results for {len(pictures)} pictures")
        return list(found)


def _give(item: _Asked, answer: Found | PoisonError, done: _Answers, size: int) -> None:
    if item.answer.done():  # cancelled while it was inferred
        return
    if isinstance(answer, PoisonError):
        item.answer.set_exception(answer)
        return
    wait_s = max(0.0, done.started_at - item.since)
    item.answer.set_result(Seen(answer, wait_s, done.infer_s, size))


def _last_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[-1][:200]}" if lines else type(error).__name__
