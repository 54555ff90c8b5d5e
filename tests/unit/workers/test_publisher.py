import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from andon.backoff import Backoff
from andon.errors import FatalError, RetryableError, TooLargeError
from andon.events import Retrying
from andon.messages import RecordRef
from andon.wire import Outgoing
from tests.fakes import MemoryPublisher, RecordedEvents
from workers.publisher import OrderedPublisher, Outlet, Publication


class Flaky(MemoryPublisher):
    """Refuses the sends with these numbers, when they are sent or when they are awaited."""

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


def publication(number: int, settled: Callable[[], None]) -> Publication:
    return Publication((("out", Outgoing(b"cam", b"%d" % number, (), 0)),), settled)


async def published(publisher: MemoryPublisher, events: RecordedEvents, numbers: int) -> tuple[list[int], list[int]]:
    """The topic's records, and the order in which publications were settled, if all are ready at once."""
    publishing = OrderedPublisher(Outlet(publisher, spawn, events, Backoff(0.0, 0.0)), "publish")
    settled: list[int] = []

    async def ready(number: int) -> Publication:
        return publication(number, lambda: settled.append(number))

    for number in range(numbers):
        publishing.add(spawn(ready(number), f"publication {number}"))
    async with asyncio.timeout(60):
        await publishing.drain()
    return [int(record.value or b"-1") for record in publisher.topics["out"]], settled


async def test_publications_leave_in_the_order_of_their_records_however_they_became_ready() -> None:
    publisher = MemoryPublisher()
    publishing = OrderedPublisher(Outlet(publisher, spawn, RecordedEvents()), "publish")
    gates = [asyncio.Event() for _ in range(5)]

    async def ready(number: int) -> Publication:
        await gates[number].wait()
        return publication(number, lambda: None)

    for number in range(5):
        publishing.add(spawn(ready(number), f"publication {number}"))
    for number in (4, 2, 3, 0, 1):
        gates[number].set()
        await asyncio.sleep(0)
    await publishing.drain()
    assert [record.value for record in publisher.topics["out"]] == [b"0", b"1", b"2", b"3", b"4"]


async def test_a_refused_send_is_repeated_and_everything_behind_it_waits() -> None:
    events = RecordedEvents()
    log, settled = await published(Flaky({2, 5}, set()), events, 6)
    assert log == [0, 1, 2, 3, 4, 5]
    assert settled == [0, 1, 2, 3, 4, 5]
    assert len(events.of(Retrying)) == 2


async def test_a_record_that_was_not_acknowledged_is_sent_again_with_all_that_followed_it() -> None:
    log, settled = await published(Flaky(set(), {2}), RecordedEvents(), 5)
    last_seen = {number: at for at, number in enumerate(log)}
    assert sorted(last_seen, key=last_seen.__getitem__) == [0, 1, 2, 3, 4], "read to its end, the log is in order"
    assert settled == [0, 1, 2, 3, 4]


async def test_partitions_do_not_wait_for_each_other_and_one_that_is_discarded_publishes_nothing_more() -> None:
    publisher = MemoryPublisher()
    outlet = Outlet(publisher, spawn, RecordedEvents())
    one, other = OrderedPublisher(outlet, "one"), OrderedPublisher(outlet, "other")
    gate = asyncio.Event()

    async def stuck() -> Publication:
        await gate.wait()
        return publication(0, lambda: None)

    async def ready() -> Publication:
        return publication(1, lambda: None)

    one.add(spawn(stuck(), "stuck"))
    other.add(spawn(ready(), "ready"))
    await other.drain()
    assert len(publisher.topics["out"]) == 1
    one.discard()
    gate.set()
    await one.drain()
    assert len(publisher.topics["out"]) == 1


def large(*sizes: int) -> Publication:
    """A publication with a value of the first size; of the next size where a topic is too narrow, and so on."""
    rest = sizes[1:]
    smaller = (lambda _: large(*rest)) if rest else None
    return Publication((("out", Outgoing(b"cam", bytes(sizes[0]), (), 0)),), lambda: None, smaller)


async def test_a_record_that_is_too_large_is_replaced_by_a_smaller_one_in_its_place() -> None:
    publisher = MemoryPublisher(max_bytes=10)
    publishing = OrderedPublisher(Outlet(publisher, spawn, RecordedEvents()), "publish")

    async def ready(value: Publication) -> Publication:
        return value

    expired = Outgoing(b"cam", b"gap", (), 0)
    for value in (large(1), large(50, 20, 5).after("out", expired), large(2)):
        publishing.add(spawn(ready(value), "publication"))
    async with asyncio.timeout(60):
        await publishing.drain()
    sizes = [len(record.value or b"") for record in publisher.topics["out"]]
    assert sizes == [1, 3, 3, 3, 5, 2], "what stands before it is repeated, and nothing passes it"


async def test_a_record_that_is_too_large_and_has_no_smaller_form_ends_the_process() -> None:
    publisher = MemoryPublisher(max_bytes=10)
    publishing = OrderedPublisher(Outlet(publisher, spawn, RecordedEvents()), "publish")

    async def ready() -> Publication:
        return large(50)

    publishing.add(spawn(ready(), "publication"))
    task = publishing._publishing
    assert task is not None
    with pytest.raises(TooLargeError):
        await task


async def test_a_refusal_for_good_ends_the_process() -> None:
    class Refusing(MemoryPublisher):
        async def send(self, topic: str, record: Outgoing) -> Awaitable[RecordRef]:
            raise FatalError("out: give the user the ACL Write")

    publishing = OrderedPublisher(Outlet(Refusing(), spawn, RecordedEvents()), "publish")

    async def ready() -> Publication:
        return large(1)

    publishing.add(spawn(ready(), "publication"))
    task = publishing._publishing
    assert task is not None
    with pytest.raises(FatalError, match="the ACL Write"):
        await task
