"""The demo's own consumers: one of inspections, outside every group, and one of alerts, like a factory's."""

import asyncio
from collections.abc import Awaitable, Callable

from andon.alerts import DefectAlerts
from andon.clock import Clock
from andon.errors import DecodeError
from andon.events import Emit
from andon.settings import Settings
from andon.stream.reading import read_topic
from andon.wire import Record, decode
from sample_streams.observer import Observer

POLL_MS = 200
QUIET_S = 1.0
"""After a drain, this long without news means that everything has come."""


async def inspections(settings: Settings, observer: Observer, emit: Emit) -> None:
    """Give the observer every record of the inspections topic, from the first on. Ends when cancelled."""
    await records(settings, observe(observer), emit)


def observe(observer: Observer) -> Callable[[Record], None]:
    """A function that gives the observer one record."""

    def take(record: Record) -> None:
        try:
            observer.add_message(decode(record))
        except DecodeError:
            pass  # the account says what became of it

    return take


async def records(settings: Settings, take: Callable[[Record], None], emit: Emit) -> None:
    """Give `take` every record of the inspections topic, from the first on. Ends when cancelled."""
    async with read_topic(settings.kafka, settings.kafka.inspections_topic, emit) as topic:
        while True:
            for batch in (await topic.poll(POLL_MS)).values():
                for record in batch:
                    take(record)


async def alerts(settings: Settings, observer: Observer, clock: Clock) -> None:
    """Give the observer every alert. Ends when cancelled."""
    redis = settings.redis
    url = redis.url.get_secret_value()
    async with DefectAlerts(url, group="demo", start="beginning", prefix=redis.prefix) as stream:
        async for alert in stream:
            observer.add_alert(alert.defect, clock.now())
            await alert.ack()


async def until_quiet(count: Callable[[], int], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """Return when `count()` has not changed for QUIET_S."""
    before = -1
    while before != (before := count()):
        await sleep(QUIET_S)


async def first_frame(observer: Observer) -> None:
    """Return when the first frame is inspected."""
    while not observer.inspected:  # noqa: ASYNC110 - the observer is plain data
        await asyncio.sleep(0.1)
