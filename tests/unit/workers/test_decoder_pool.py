import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from andon.errors import PoisonError
from andon.pictures.picture import Bgr, DecodedPicture, PictureLimits
from andon.pictures.reader import decode
from tests.fakes import FakeClock
from tests.unit.workers.rig import jpeg
from workers import decoder_pool
from workers.decoder_pool import TOGETHER, DecoderOptions, DecoderPool
from workers.threads import decoder_threads

LIMITS = PictureLimits(100_000, 100_000)


@asynccontextmanager
async def pool(count: int) -> AsyncIterator[DecoderPool]:
    with decoder_threads(count) as threads:
        yield DecoderPool(threads, DecoderOptions(count, LIMITS, 100), FakeClock())


def ask(at: DecoderPool, *payloads: bytes) -> list[asyncio.Task[DecodedPicture[Bgr]]]:
    return [asyncio.create_task(at.decode(payload, "image/jpeg"), name="ask") for payload in payloads]


async def test_each_call_gets_its_own_picture_however_many_come_at_once() -> None:
    async with pool(2) as at:
        pictures = await asyncio.gather(*ask(at, *(jpeg(level * 5) for level in range(50))))
    levels = [float(picture.pixels.mean()) for picture in pictures]
    assert levels == pytest.approx([level * 5 for level in range(50)], abs=1.5)


async def test_a_picture_that_cannot_be_decoded_fails_its_own_call_and_no_other() -> None:
    async with pool(1) as at:
        answers = await asyncio.gather(*ask(at, jpeg(), b"no", jpeg(), b""), return_exceptions=True)
    assert [type(answer) for answer in answers] == [DecodedPicture, PoisonError, DecodedPicture, PoisonError]


async def test_the_waiting_pictures_are_shared_between_the_threads_a_few_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, go = threading.Semaphore(0), threading.Event()

    def slow(payload: bytes, content_type: str, limits: PictureLimits, enough_px: int | None) -> DecodedPicture[Bgr]:
        begun.release()
        assert go.wait(60)
        return decode(payload, content_type, limits, enough_px)

    monkeypatch.setattr(decoder_pool, "decode", slow)
    async with pool(2) as at:
        tasks = ask(at, *[jpeg()] * (2 * TOGETHER + 1))
        for _ in range(2):
            assert await asyncio.to_thread(begun.acquire, timeout=60)
        assert len(at) == 1, "the ninth is not with a thread yet"
        for task in tasks[1:]:
            task.cancel()
        go.set()
        assert (await tasks[0]).width == 64
        await asyncio.gather(*tasks, return_exceptions=True)
        late = await asyncio.gather(*ask(at, jpeg()))
    assert late[0].height == 48, "those that were cancelled are in nobody's way"


async def test_a_bug_in_a_decoder_is_poison_for_its_picture_and_the_others_are_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def faulty(payload: bytes, *rest: Any) -> DecodedPicture[Bgr]:
        if payload == b"odd":
            raise IndexError("list index out of range")
        return decode(payload, *rest)

    monkeypatch.setattr(decoder_pool, "decode", faulty)
    async with pool(1) as at:
        answers = await asyncio.gather(*ask(at, jpeg(), b"odd", jpeg()), return_exceptions=True)
    assert [type(answer) for answer in answers] == [DecodedPicture, PoisonError, DecodedPicture]
    assert isinstance(answers[1], PoisonError)
    assert answers[1].reason == "undecodable"
    assert str(answers[1]) == "the decoder failed: IndexError: list index out of range"


async def test_too_little_memory_for_a_picture_is_not_its_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def starved(*_: object) -> DecodedPicture[Bgr]:
        raise MemoryError

    monkeypatch.setattr(decoder_pool, "decode", starved)
    async with pool(1) as at:
        with pytest.raises(MemoryError):
            await at.decode(jpeg(), "image/jpeg")


async def test_each_picture_is_decoded_under_a_time_limit_of_its_own() -> None:
    limits: list[str] = []

    @contextmanager
    def limit() -> Iterator[None]:
        limits.append("entered")
        yield
        limits.append("left")

    with decoder_threads(1) as threads:
        at = DecoderPool(threads, DecoderOptions(1, LIMITS, 100, limit), FakeClock())
        await asyncio.gather(*ask(at, jpeg(), jpeg()))
    assert limits == ["entered", "left"] * 2


async def test_a_closed_pool_hands_nothing_to_threads_that_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go = threading.Semaphore(0), threading.Event()

    def slow(*request: Any) -> DecodedPicture[Bgr]:
        begun.release()
        assert go.wait(60)
        return decode(*request)

    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    monkeypatch.setattr(decoder_pool, "decode", slow)
    async with pool(1) as at:
        tasks = ask(at, *[jpeg()] * (2 * TOGETHER))
        assert await asyncio.to_thread(begun.acquire, timeout=60)
        at.close()
    go.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(answer) for answer in answers] == [DecodedPicture] * TOGETHER + [asyncio.CancelledError] * TOGETHER
    with pytest.raises(asyncio.CancelledError):
        await at.decode(jpeg(), "image/jpeg")
    assert failures == []
