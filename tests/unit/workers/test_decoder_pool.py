import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from andon.errors import PoisonError
from tests.fakes import FakeClock
from tests.unit.workers.bench import jpeg
from workers import decoder_pool as decoding
from workers.decoder_pool import TOGETHER, Decoding, Timed
from workers.decoding.decode import Decoded, Limits, decode, decode_threads

LIMITS = Limits(100_000, 100_000)


@asynccontextmanager
async def made(count: int) -> AsyncIterator[Decoding]:
    with decode_threads(count) as threads:
        yield Decoding(threads, count, LIMITS, 100, FakeClock())


def ask(at: Decoding, *payloads: bytes) -> list[asyncio.Task[Timed]]:
    return [asyncio.create_task(at.decode(payload, "image/jpeg"), name="ask") for payload in payloads]


async def test_each_asker_gets_its_own_picture_however_many_ask_at_once() -> None:
    async with made(2) as at:
        timed = await asyncio.gather(*ask(at, *(jpeg(level * 5) for level in range(50))))
    levels = [float(item.decoded.picture.mean()) for item in timed]
    assert levels == pytest.approx([level * 5 for level in range(50)], abs=1.5)


async def test_a_picture_that_cannot_be_decoded_is_told_to_who_asked_and_nobody_else() -> None:
    async with made(1) as at:
        answers = await asyncio.gather(*ask(at, jpeg(), b"no", jpeg(), b""), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Timed, PoisonError, Timed, PoisonError]


async def test_what_waits_is_shared_between_the_threads_and_no_thread_is_given_more_than_a_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, go = threading.Semaphore(0), threading.Event()

    def slow(payload: bytes, content_type: str, limits: Limits, enough_px: int | None) -> Decoded:
        begun.release()
        assert go.wait(20)
        return decode(payload, content_type, limits, enough_px)

    monkeypatch.setattr(decoding, "decode", slow)
    async with made(2) as at:
        asked = ask(at, *[jpeg()] * (2 * TOGETHER + 1))
        for _ in range(2):
            assert await asyncio.to_thread(begun.acquire, timeout=20)
        assert len(at) == 1, "the ninth is not with a thread yet"
        for task in asked[1:]:
            task.cancel()
        go.set()
        assert (await asked[0]).decoded.width == 64
        await asyncio.gather(*asked, return_exceptions=True)
        late = await asyncio.gather(*ask(at, jpeg()))
    assert late[0].decoded.height == 48, "those that were cancelled are in nobody's way"
