"""A worker's whole role in this process, on a real broker. By default its detector says which pixels it was given."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry

from andon.clock import SystemClock
from andon.process.health import Health
from andon.process.lifecycle import Life
from andon.process.metrics import Metrics
from andon.process.progress import Progress
from andon.process.watchdog import Watchdog
from andon.settings import Settings
from tests.fakes import RecordedEvents
from tests.fingerprints import open_detector
from workers.role import OpenDetector, work


@asynccontextmanager
async def worker_here(settings: Settings, opens: OpenDetector = open_detector) -> AsyncIterator[RecordedEvents]:
    """Runs within the block, and leaves its group after it."""
    clock, events = SystemClock(), RecordedEvents()
    watchdog = Watchdog(clock)
    progress = Progress(clock, watchdog, settings.run.stalled_s)
    health, metrics = Health(watchdog, progress), Metrics(CollectorRegistry())
    life = Life("work", settings, clock, events, metrics, health, watchdog, progress)
    role = asyncio.create_task(work(life, "default", opens), name="worker")
    try:
        yield events
    finally:
        life.stop.set()
        async with asyncio.timeout(60):
            await role
