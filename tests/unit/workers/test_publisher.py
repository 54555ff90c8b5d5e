import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from andon.backoff import Backoff
from andon.errors import RetryableError
from andon.events import Retrying
from andon.messages import RecordRef
from andon.wire import Outgoing
from tests.fakes import MemoryPublisher, Told
from workers.publisher import OrderedPublisher, Outlet, Result


class Flaky(MemoryPublisher):
    """Refuses the sends whose numbers are given, when they are sent or when they are awaited."""

    def __init__(self, at_send: set[int], at_acknowledgement: set[int]) -> None:
        super().__init__()
        self._at_send = at_send
        self._at_acknowledgement = at_acknowledgement
        self._count = -1

    async def send(self, topic: str, record: Outgoing) -> Awaitable[RecordRef]:
        self._count += 1
        if self._count in self._at_send:
            raise RetryableError("refused")
        if self._count in self._at_acknowledgement:
            return _lost()
        return await super().send(topic, record)


async def _lost() -> RecordRef:
    raise RetryableError("not acknowledged")


def spawn(work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
    return asyncio.create_task(work, name=name)


def result(number: int, settled: Callable[[], None]) -> Result:
    return Result((("out", Outgoing(b"cam", b"%d" % number, (), 0)),), settled)


async def published(publisher: MemoryPublisher, told: Told, numbers: int) -> tuple[list[int], list[int]]:
    """What lies in the topic, and in which order results were settled, when all were ready at once."""
    publishing = OrderedPublisher(Outlet(publisher, spawn, told, Backoff(0.0, 0.0)), "publish")
    settled: list[int] = []

    async def ready(number: int) -> Result:
        return result(number, lambda: settled.append(number))

    for number in range(numbers):
        publishing.add(spawn(ready(number), f"result {number}"))
    async with asyncio.timeout(20):
        await publishing.drain()
    return [int(record.value or b"-1") for record in publisher.topics["out"]], settled


async def test_results_leave_in_the_order_of_their_records_however_they_became_ready() -> None:
    publisher = MemoryPublisher()
    publishing = OrderedPublisher(Outlet(publisher, spawn, Told()), "publish")
    gates = [asyncio.Event() for _ in range(5)]

    async def ready(number: int) -> Result:
        await gates[number].wait()
        return result(number, lambda: None)

    for number in range(5):
        publishing.add(spawn(ready(number), f"result {number}"))
    for number in (4, 2, 3, 0, 1):
        gates[number].set()
        await asyncio.sleep(0)
    await publishing.drain()
    assert [record.value for record in publisher.topics["out"]] == [b"0", b"1", b"2", b"3", b"4"]


async def test_a_refused_send_is_repeated_and_everything_behind_it_waits() -> None:
    told = Told()
    log, settled = await published(Flaky({2, 5}, set()), told, 6)
    assert log == [0, 1, 2, 3, 4, 5]
    assert settled == [0, 1, 2, 3, 4, 5]
    assert len(told.of(Retrying)) == 2


async def test_what_was_not_acknowledged_is_sent_again_with_all_that_followed_it() -> None:
    log, settled = await published(Flaky(set(), {2}), Told(), 5)
    last_seen = {number: at for at, number in enumerate(log)}
    assert sorted(last_seen, key=last_seen.__getitem__) == [0, 1, 2, 3, 4], "read to its end, the log is in order"
    assert settled == [0, 1, 2, 3, 4]


async def test_partitions_do_not_wait_for_each_other_and_one_that_is_discarded_publishes_nothing_more() -> None:
    publisher = MemoryPublisher()
    outlet = Outlet(publisher, spawn, Told())
    one, other = OrderedPublisher(outlet, "one"), OrderedPublisher(outlet, "other")
    gate = asyncio.Event()

    async def stuck() -> Result:
        await gate.wait()
        return result(0, lambda: None)

    async def ready() -> Result:
        return result(1, lambda: None)

    one.add(spawn(stuck(), "stuck"))
    other.add(spawn(ready(), "ready"))
    await other.drain()
    assert len(publisher.topics["out"]) == 1
    one.discard()
    gate.set()
    await one.drain()
    assert len(publisher.topics["out"]) == 1
