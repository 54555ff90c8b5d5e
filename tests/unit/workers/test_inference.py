import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from andon.errors import FatalError, PoisonError
from andon.events import BatchHalved
from tests.detectors import FakeDetector, brightness, grey
from tests.fakes import FakeClock, RecordedEvents
from workers.batcher import Batcher
from workers.detector import Detections, OutOfMemoryError, Picture
from workers.inference import Inference
from workers.threads import detector_threads


class Gate:
    """Holds the detector until it is opened; says when it got there."""

    def __init__(self) -> None:
        self.reached = threading.Semaphore(0)
        self.open = threading.Semaphore(0)

    def __call__(self, pictures: Sequence[Picture]) -> None:
        self.reached.release()
        assert self.open.acquire(timeout=60)

    async def arrival(self) -> None:
        assert await asyncio.to_thread(self.reached.acquire, timeout=60)


@asynccontextmanager
async def running(detector: FakeDetector, size: int = 4, at_once: int = 1) -> AsyncIterator[Inference]:
    with detector_threads(at_once) as thread:
        inference = Inference(detector, thread, Batcher(size, 0.0), FakeClock(), RecordedEvents())
        task = asyncio.create_task(inference.serve(), name="detect")
        yield inference
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def ask(inference: Inference, *levels: int) -> list[asyncio.Task[object]]:
    return [asyncio.create_task(inference.infer("cam", grey(level)), name=f"ask {level}") for level in levels]


async def test_while_one_batch_infers_the_next_one_gathers() -> None:
    gate = Gate()
    detector = FakeDetector(gate)
    async with running(detector) as inference:
        calls = ask(inference, 1)
        await gate.arrival()
        calls += ask(inference, 2, 3, 4)
        await asyncio.sleep(0)
        for _ in range(2):
            gate.open.release()
        await asyncio.gather(*calls)
    assert detector.batches == [1, 3]


async def test_a_full_batch_does_not_wait_for_the_one_before_where_the_detector_takes_two_at_once() -> None:
    gate = Gate()
    detector = FakeDetector(gate)
    async with running(detector, size=2, at_once=2) as inference:
        calls = ask(inference, 1)
        await gate.arrival()
        calls += ask(inference, 2, 3, 4, 5)
        await gate.arrival()
        assert detector.batches == [1, 2], "both are under way and none is done"
        for _ in range(3):
            gate.open.release()
        await asyncio.gather(*calls)
    assert detector.batches == [1, 2, 2]


async def test_on_a_cpu_frames_gather_only_while_the_detector_is_busy() -> None:
    gate, clock = Gate(), FakeClock()
    detector = FakeDetector(gate)
    with detector_threads() as thread:
        inference = Inference(detector, thread, Batcher(8, 0.02, enough=2), clock, RecordedEvents())
        task = asyncio.create_task(inference.serve(), name="detect")
        first = ask(inference, 1)
        await gate.arrival()
        clock.advance(10.0)
        gate.open.release()
        await asyncio.gather(*first)
        gathered = ask(inference, 2, 3, 4)
        await asyncio.sleep(0.05)
        assert detector.batches == [1], "the window is still open"
        clock.advance(0.02)
        gate.open.release()
        await asyncio.gather(*gathered)
        clock.advance(10.0)
        for level in (5, 6):
            gate.open.release()
            await asyncio.gather(*ask(inference, level))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert detector.batches == [1, 3, 1, 1]


async def test_each_call_gets_the_detections_of_its_own_picture() -> None:
    async with running(FakeDetector()) as inference:
        responses = await asyncio.gather(*(inference.infer(f"cam{level % 3}", grey(level)) for level in range(30)))
    assert [round(float(response.detections.confidences[0]) * 255) for response in responses] == list(range(30))


async def test_a_cancelled_call_is_not_inferred_any_more() -> None:
    gate = Gate()
    detector = FakeDetector(gate)
    async with running(detector) as inference:
        first = ask(inference, 1)
        await gate.arrival()
        left, stays = ask(inference, 2, 3)
        await asyncio.sleep(0)
        left.cancel()
        for _ in range(2):
            gate.open.release()
        await asyncio.gather(*first, stays)
    assert detector.batches == [1, 1]


async def test_the_one_picture_that_the_detector_fails_on_is_poison() -> None:
    def before(pictures: Sequence[Picture]) -> None:
        if any(brightness(picture) == 2 for picture in pictures):
            raise ValueError("no")

    async with running(FakeDetector(before)) as inference:
        answers = await asyncio.gather(*ask(inference, 1, 2, 3), return_exceptions=True)
    assert [type(answer) for answer in answers].count(PoisonError) == 1
    assert isinstance(answers[1], PoisonError)
    assert (answers[1].reason, str(answers[1])) == ("detector_error", "ValueError: no")


async def test_a_detector_that_gives_too_few_results_ends_the_process() -> None:
    class Short(FakeDetector):
        def detect(self, pictures: Sequence[Picture]) -> list[Detections]:
            return super().detect(pictures)[1:]

    with detector_threads() as thread:
        inference = Inference(Short(), thread, Batcher(4, 0.0), FakeClock(), RecordedEvents())
        task = asyncio.create_task(inference.serve(), name="detect")
        calls = ask(inference, 1)
        with pytest.raises(ExceptionGroup) as caught:
            await task
        for waiting in calls:
            waiting.cancel()
    assert caught.group_contains(FatalError, match="0 results for 1 pictures")


class Ill(FakeDetector):
    """Raises `error` for every batch of more than `fits` pictures."""

    def __init__(self, error: Exception, fits: int) -> None:
        def before(pictures: Sequence[Picture]) -> None:
            if len(pictures) > fits:
                raise error

        super().__init__(before)


async def failure(detector: FakeDetector, *levels: int) -> Exception:
    """How `serve` ends over these pictures. None of the calls gets a response."""
    with detector_threads() as thread:
        inference = Inference(detector, thread, Batcher(4, 0.0), FakeClock(), RecordedEvents())
        calls = ask(inference, *levels)
        await asyncio.sleep(0)  # all of them wait for the detector
        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.timeout(60):
                await inference.serve()
        assert not any(call.done() for call in calls)
        for call in calls:
            call.cancel()
    (error,) = caught.value.exceptions
    return error


async def test_a_detector_that_fails_on_every_picture_of_a_batch_ends_the_process_and_quarantines_nothing() -> None:
    detector = Ill(RuntimeError("CUDA error: device lost"), fits=0)
    error = await failure(detector, 1, 2, 3)
    assert isinstance(error, FatalError)
    assert "fails on each of 3 pictures (RuntimeError: CUDA error: device lost)" in str(error)
    assert detector.batches == [3, 1, 1, 1, 1], "the last one is a plain grey picture"


async def test_a_batch_that_fails_only_as_a_whole_costs_no_picture() -> None:
    async with running(Ill(RuntimeError("no"), fits=1)) as inference:
        responses = await asyncio.gather(*(inference.infer("cam", grey(level)) for level in (1, 2, 3)))
    assert [round(float(response.detections.confidences[0]) * 255) for response in responses] == [1, 2, 3]


async def test_a_batch_for_which_memory_is_too_small_is_inferred_in_halves() -> None:
    detector, events = Ill(OutOfMemoryError("CUDA out of memory"), fits=2), RecordedEvents()
    with detector_threads() as thread:
        inference = Inference(detector, thread, Batcher(4, 0.0), FakeClock(), events)
        task = asyncio.create_task(inference.serve(), name="detect")
        responses = await asyncio.gather(*(inference.infer("cam", grey(level)) for level in (1, 2, 3, 4)))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [round(float(response.detections.confidences[0]) * 255) for response in responses] == [1, 2, 3, 4]
    assert detector.batches == [4, 2, 2]
    assert events.of(BatchHalved) == [BatchHalved(4, "cpu")]


@pytest.mark.parametrize("levels", [(1, 2, 3, 4), (1,)])
async def test_memory_that_is_too_small_for_half_a_batch_ends_the_process(levels: tuple[int, ...]) -> None:
    error = await failure(Ill(OutOfMemoryError("CUDA out of memory"), fits=0), *levels)
    assert isinstance(error, FatalError)
    assert "lower batch.size" in str(error)
