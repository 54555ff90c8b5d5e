"""Keeps one detector busy: two batches are with it, on threads of their own if it takes two at once; the next gathers.

On a CPU a batch follows the load. While the detector has time to spare, a frame goes to it at once. While it is busy,
frames gather to half a batch, or for `batch.max_wait_ms`: fewer batches leave the event loop, the broker and other
threads less to do, and on a machine that is nearly full a tenth less work is half the queue.

A failure has an owner. A picture that fails is poison, if the detector succeeds on another one: on one of its batch, or
on a plain grey picture. Else it is the detector's fault: the process ends, and nothing is committed or quarantined.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from andon.clock import Clock
from andon.errors import FatalError, PoisonError
from andon.events import BatchHalved, BatchInferred, Emit
from workers.batcher import Batcher, InferenceBatch
from workers.busy_share import BusyShare
from workers.detector import Detections, Detector, OutOfMemoryError, Picture
from workers.threads import NO_LIMIT, TimeLimit


@dataclass(frozen=True, slots=True)
class Response:
    """What the model saw in one picture, and how long that took."""

    detections: Detections
    wait_s: float
    """From the request to the start of its batch."""
    infer_s: float
    """Of its whole batch."""
    batch_size: int
    beside: tuple[str, ...] = ()
    """Of a traced frame: the contexts of the other traced frames in the batch."""


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """A picture that waits for the detector."""

    picture: Picture
    since_s: float
    response: asyncio.Future[Response]
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class _Run:
    """One batch's way through the detector."""

    started_s: float
    infer_s: float
    outcomes: list[Detections | PoisonError]
    """One for each picture, in their order."""
    halved: bool


class Inference:
    """The way to the detector for many frames at once. Event loop only; `serve` must be running."""

    def __init__(
        self,
        detector: Detector,
        threads: Executor,
        batcher: Batcher[Request],
        clock: Clock,
        emit: Emit,
        time_limit: TimeLimit = NO_LIMIT,
    ) -> None:
        """`time_limit`: for one call of the detector."""
        self._detector = detector
        self._threads = threads
        self._batcher = batcher
        self._clock = clock
        self._emit = emit
        self._time_limit = time_limit
        self._share = BusyShare()
        self._inferring = 0
        self._wake = asyncio.Event()

    async def infer(self, camera_id: str, picture: Picture, traceparent: str | None = None) -> Response:
        """A cancelled call is dropped. `traceparent`: the frame's context, if it is traced.

        Raises PoisonError `detector_error`: the detector fails on this picture.
        """
        response: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        now = self._clock.monotonic()
        self._batcher.add(camera_id, Request(picture, now, response, traceparent), now)
        self._wake.set()
        return await response

    async def serve(self) -> None:
        """Runs until it is cancelled. Raises FatalError when the detector fails on a whole batch."""
        async with asyncio.TaskGroup() as batches:
            while True:
                batch = await self._next()
                self._count(+1)
                batches.create_task(self._infer(batch), name="worker.batch")

    async def _next(self) -> InferenceBatch[Request]:
        """The batch that closes next: by age only while the detector is idle, and full ones up to one ahead of it."""
        while True:
            self._wake.clear()
            now = self._clock.monotonic()
            if self._inferring < 2:
                spare = not self._share.is_busy(now)
                batch = self._batcher.take(now, full_only=self._inferring > 0, spare=spare)
                if batch is not None:
                    return batch
            due = self._batcher.due_at if self._inferring == 0 else None
            try:
                async with asyncio.timeout(None if due is None else max(0.0, due - now)):
                    await self._wake.wait()
            except TimeoutError:
                pass  # the first frame has waited long enough

    def _count(self, change: int) -> None:
        """A batch goes to the detector, or comes back."""
        self._inferring += change
        self._share.note(self._clock.monotonic(), computes=self._inferring > 0)

    async def _infer(self, batch: InferenceBatch[Request]) -> None:
        requests = [request for request in batch.items if not request.response.cancelled()]
        pictures = [request.picture for request in requests]
        loop = asyncio.get_running_loop()
        try:
            run = await loop.run_in_executor(self._threads, self._run, pictures)
        finally:
            self._count(-1)
            self._wake.set()
        traced = [request.traceparent for request in requests if request.traceparent is not None]
        for request, outcome in zip(requests, run.outcomes, strict=True):
            _respond(request, outcome, run, traced)
        if run.halved:
            self._emit(BatchHalved(len(requests), self._detector.info.device))
        self._emit(BatchInferred(len(requests), batch.wait_s, run.infer_s, self._detector.info.runtime))

    # ---- on a thread of the detector's

    def _run(self, pictures: Sequence[Picture]) -> _Run:
        started_s = self._clock.monotonic()
        halved = False
        outcomes: list[Detections | PoisonError] = []
        try:
            outcomes = self._batch(pictures) if pictures else []
        except OutOfMemoryError as error:
            outcomes = self._halves(pictures, error)
            halved = True
        return _Run(started_s, max(0.0, self._clock.monotonic() - started_s), outcomes, halved)

    def _halves(self, pictures: Sequence[Picture], error: OutOfMemoryError) -> list[Detections | PoisonError]:
        middle = len(pictures) // 2
        try:
            if middle:
                return [*self._batch(pictures[:middle]), *self._batch(pictures[middle:])]
        except OutOfMemoryError as second:
            error = second
        device = self._detector.info.device
        raise FatalError(
            f"{device} has too little memory for the model with {max(1, middle)} pictures ({_last_line(error)}): "
            "lower batch.size of its pool, or free memory on the device"
        ) from error

    def _batch(self, pictures: Sequence[Picture]) -> list[Detections | PoisonError]:
        """The pictures of a batch that fails are tried one by one. Raises OutOfMemoryError, FatalError."""
        try:
            return list(self._detect(pictures))
        except (OutOfMemoryError, FatalError):
            raise
        except Exception as error:  # the record's boundary: counted and quarantined where the response is awaited
            outcomes: list[Detections | PoisonError] = (
                [_poison(error)] if len(pictures) == 1 else [self._single(picture) for picture in pictures]
            )
        failures = [outcome for outcome in outcomes if isinstance(outcome, PoisonError)]
        if len(failures) == len(pictures) and isinstance(self._single(self._plain()), PoisonError):
            raise FatalError(
                f"the model fails on each of {len(pictures)} pictures ({failures[-1]}) and on a plain grey one: look "
                "at the model, its runtime and its device, since the pictures are hardly at fault"
            )
        return outcomes

    def _plain(self) -> Picture:
        side = self._detector.info.imgsz
        return np.full((side, side, 3), 114, np.uint8)

    def _single(self, picture: Picture) -> Detections | PoisonError:
        try:
            (detections,) = self._detect([picture])
        except (OutOfMemoryError, FatalError):
            raise
        except Exception as error:  # as above
            return _poison(error)
        return detections

    def _detect(self, pictures: Sequence[Picture]) -> Sequence[Detections]:
        with self._time_limit():
            detections = self._detector.detect(pictures)
        if len(detections) != len(pictures):
            raise FatalError(f"the detector gave {len(detections)} results for {len(pictures)} pictures")
        return detections


def _respond(request: Request, outcome: Detections | PoisonError, run: _Run, traced: Sequence[str]) -> None:
    if request.response.done():  # cancelled while it was inferred
        return
    if isinstance(outcome, PoisonError):
        request.response.set_exception(outcome)
        return
    wait_s = max(0.0, run.started_s - request.since_s)
    beside = () if request.traceparent is None else tuple(other for other in traced if other != request.traceparent)
    request.response.set_result(Response(outcome, wait_s, run.infer_s, len(run.outcomes), beside))


def _poison(error: Exception) -> PoisonError:
    return PoisonError("detector_error", _last_line(error))


def _last_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[-1][:200]}" if lines else type(error).__name__
