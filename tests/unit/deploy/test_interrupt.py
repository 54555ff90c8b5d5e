"""The first signal requests a stop, the second one forces it."""

import asyncio
import os
import signal

import pytest

from deploy.local.interrupt import FORCED, Interrupt, alongside, run


async def for_ever() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_signal_ends_the_work_and_calls_back(number: signal.Signals) -> None:
    calls: list[str] = []
    with Interrupt(lambda: calls.append("draining")) as interrupt:
        os.kill(os.getpid(), number)
        assert not await interrupt.before(for_ever())
    assert calls == ["draining"]


async def test_work_that_ends_by_itself_is_finished() -> None:
    with Interrupt(lambda: None) as interrupt:
        assert await interrupt.before(asyncio.sleep(0))
        assert not interrupt.requested.is_set()


async def test_an_error_in_the_work_is_raised() -> None:
    async def fail() -> None:
        raise RuntimeError("no model")

    with Interrupt(lambda: None) as interrupt, pytest.raises(RuntimeError, match="no model"):
        await interrupt.before(fail())


def test_a_second_signal_forces() -> None:
    async def main() -> int:
        with Interrupt(lambda: None) as interrupt:
            os.kill(os.getpid(), signal.SIGINT)
            await interrupt.before(for_ever())
            os.kill(os.getpid(), signal.SIGINT)
            await for_ever()  # a drain that takes too long
        return 0

    assert run(main()) == FORCED


async def test_work_alongside_ends_with_the_block() -> None:
    ended: list[str] = []

    async def watch() -> None:
        try:
            await for_ever()
        finally:
            ended.append("watch")

    async with alongside(watch()):
        await asyncio.sleep(0)
        assert ended == []
    assert ended == ["watch"]


async def test_an_error_alongside_fails_the_block() -> None:
    async def fail() -> None:
        raise RuntimeError("the broker ended")

    with pytest.raises(ExceptionGroup) as raised:
        async with alongside(fail()):
            await for_ever()
    assert raised.group_contains(RuntimeError, match="the broker ended")
