import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from andon.errors import FatalError, PoisonError
from tests.detectors import FakeDetector, brightness, grey
from tests.fakes import FakeClock, Told
from workers.batcher import Batcher
from workers.detector import Found, Picture
from workers.inference import Detecting, detector_threads


class Gate:
    """Holds the detector until it is opened; says when it got there."""

    def __init__(self) -> None:
        self.reached = threading.Semaphore(0)
        self.open = threading.Semaphore(0)

    def __call__(self, pictures: Sequence[Picture]) -> None:
        self.reached.release()
        assert self.open.acquire(timeout=20)

    async def arrival(self) -> None:
        assert await asyncio.to_thread(self.reached.acquire, timeout=20)


@asynccontextmanager
async def running(detector: FakeDetector, size: int = 4, at_once: int = 1) -> AsyncIterator[Detecting]:
    with detector_threads(at_once) as thread:
        detecting = Detecting(detector, thread, Batcher(size, 0.0), FakeClock(), Told())
        task = asyncio.create_task(detecting.run(), name="detect")
        yield detecting
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def ask(detecting: Detecting, *levels: int) -> list[asyncio.Task[object]]:
    return [asyncio.create_task(detecting.detect("cam", grey(level)), name=f"ask {level}") for level in levels]


async def test_while_one_batch_infers_the_next_one_gathers() -> None:
    gate = Gate()
    detector = FakeDetector(gate)
    async with running(detector) as detecting:
        asked = ask(detecting, 1)
        await gate.arrival()
        asked += ask(detecting, 2, 3, 4)
        await asyncio.sleep(0)
        for _ in range(2):
            gate.open.release()
        await asyncio.gather(*asked)
    assert detector.batches == [1, 3]


async def test_a_full_batch_does_not_wait_for_the_one_before_where_the_detector_takes_two_at_once() -> None:
    gate = Gate()
    detector = FakeDetector(gate)
    async with running(detector, size=2, at_once=2) as detecting:
        asked = ask(detecting, 1)
        await gate.arrival()
        asked += ask(detecting, 2, 3, 4, 5)
        await gate.arrival()
        assert detector.batches == [1, 2], "both are under way and none is done"
        for _ in range(3):
            gate.open.release()
        await asyncio.gather(*asked)
    assert detector.batches == [1, 2, 2]


async def test_each_asker_gets_the_answer_to_its_own_picture() -> None:
    async with running(FakeDetector()) as detecting:
        seen = await asyncio.gather(*(detecting.detect(f"cam{level % 3}", grey(level)) for level in range(30)))
    assert [round(float(item.found.confidences[0]) * 255) for item in seen] == list(range(30))


async def test_who_was_cancelled_is_not_looked_at_any_more() -> None:
    gate = Gate()
    detector = FakeDetector(gate)
    async with running(detector) as detecting:
        first = ask(detecting, 1)
        await gate.arrival()
        left, stays = ask(detecting, 2, 3)
        await asyncio.sleep(0)
        left.cancel()
        for _ in range(2):
            gate.open.release()
        await asyncio.gather(*first, stays)
    assert detector.batches == [1, 1]


async def test_a_batch_that_fails_is_taken_one_by_one() -> None:
    def before(pictures: Sequence[Picture]) -> None:
        if any(brightness(picture) == 2 for picture in pictures):
            raise ValueError("no")

    async with running(FakeDetector(before)) as detecting:
        answers = await asyncio.gather(*ask(detecting, 1, 2, 3), return_exceptions=True)
    assert [type(answer) for answer in answers].count(PoisonError) == 1
    assert isinstance(answers[1], PoisonError)
    assert (answers[1].reason, str(answers[1])) == ("detector_error", "ValueError: no")


async def test_a_detector_that_gives_too_few_results_ends_the_process() -> None:
    class Short(FakeDetector):
        def detect(self, pictures: Sequence[Picture]) -> list[Found]:
            return super().detect(pictures)[1:]

    with detector_threads() as thread:
        detecting = Detecting(Short(), thread, Batcher(4, 0.0), FakeClock(), Told())
        task = asyncio.create_task(detecting.run(), name="detect")
        asked = ask(detecting, 1)
        with pytest.raises(ExceptionGroup) as caught:
            await task
        for waiting in asked:
            waiting.cancel()
    assert caught.group_contains(FatalError, match="0 results for 1 pictures")
