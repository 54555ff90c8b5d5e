import asyncio

from andon.errors import AndonError, ConfigError, FatalError
from andon.process.tasks import first_andon_error, wake_at_stop


async def test_a_loop_that_waits_for_news_wakes_when_its_stop_is_set() -> None:
    stop, news = asyncio.Event(), asyncio.Event()
    with wake_at_stop(stop, news.set, "loop"):
        assert not news.is_set()
        stop.set()
        async with asyncio.timeout(60):
            await news.wait()


async def test_after_the_block_nothing_wakes_and_no_task_is_left() -> None:
    stop, news = asyncio.Event(), asyncio.Event()
    with wake_at_stop(stop, news.set, "loop") as waiting:
        pass
    stop.set()
    await asyncio.wait({waiting})
    assert waiting.cancelled()
    assert not news.is_set()


def test_the_first_error_for_a_user_is_found_however_deep_it_lies() -> None:
    first, second = FatalError("the model is gone"), ConfigError("no such key")
    group = BaseExceptionGroup("a", [ExceptionGroup("b", [first]), second])
    assert first_andon_error(group) is first


def test_a_group_with_any_other_error_is_not_for_a_user() -> None:
    errors: list[Exception] = [AndonError("known"), KeyError("a bug")]
    assert first_andon_error(ExceptionGroup("a", errors)) is None
