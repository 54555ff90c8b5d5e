"""The demo's own consumers: of the inspections, apart from every group, and of the alerts, as a factory's would be."""

import asyncio
from collections.abc import Awaitable, Callable

from aiokafka import ConsumerRecord

from andon.alerts import DefectAlerts
from andon.clock import Clock
from andon.errors import DecodeError
from andon.events import Emit
from andon.settings import Settings
from andon.stream.clients import admin, consumer, started
from andon.stream.topics import partitions_of
from andon.wire import Record, decode
from deploy.local.demo.tally import Tally

POLL_MS = 200
QUIET_S = 1.0
"""After a drain: nothing new for so long means that everything has come."""


async def inspections(settings: Settings, tally: Tally, emit: Emit) -> None:
    """Feed `tally` with every record of the inspections topic, from the first on. Ends when cancelled."""
    await records(settings, seen_by(tally), emit)


def seen_by(tally: Tally) -> Callable[[Record], None]:
    """What feeds `tally` with a record."""

    def see(record: Record) -> None:
        try:
            tally.see(decode(record))
        except DecodeError:
            pass  # the account tells what became of it; here it would only hide what follows

    return see


async def records(settings: Settings, take: Callable[[Record], None], emit: Emit) -> None:
    """Give `take` every record of the inspections topic, from the first on. Ends when cancelled."""
    kafka = settings.kafka
    async with started(lambda: admin(kafka), kafka, emit) as administrator:
        partitions = await partitions_of(administrator, kafka.inspections_topic)
    async with started(lambda: consumer(kafka, None), kafka, emit) as client:
        client.assign(partitions)
        await client.seek_to_beginning(*partitions)
        while True:
            for batch in (await client.getmany(timeout_ms=POLL_MS)).values():
                for raw in batch:
                    take(_record(raw))


def _record(raw: ConsumerRecord) -> Record:
    return Record(raw.topic, raw.partition, raw.offset, raw.timestamp, raw.key, raw.value, raw.headers)


async def alerts(settings: Settings, tally: Tally, clock: Clock) -> None:
    """Feed `tally` with every alert. Ends when cancelled."""
    redis = settings.redis
    url = redis.url.get_secret_value()
    async with DefectAlerts(url, group="demo", start="beginning", prefix=redis.prefix) as stream:
        async for alert in stream:
            tally.hear(alert.defect, clock.now())
            await alert.ack()


async def until_quiet(count: Callable[[], int], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """Return when `count()` has not changed for QUIET_S."""
    before = -1
    while before != (before := count()):
        await sleep(QUIET_S)


async def first_frame(tally: Tally) -> None:
    """Return when something has been inspected."""
    while not tally.inspected:  # noqa: ASYNC110 - the tally is plain data
        await asyncio.sleep(0.1)
