"""One real sink process, whoever listens to its alerts, and the account at the end."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from andon.alerts import DefectAlerts, DefectFilter
from andon.config import load
from andon.settings import KafkaSettings, RedisSettings
from tests.e2e.line import Line
from tests.faults.recording import Encoding
from tests.faults.sinks.feed import Feed, events_on_kafka


class Listener:
    """A consumer of the alerts in Redis, as a PLC's gateway is one: takes, counts, acknowledges."""

    def __init__(self) -> None:
        self.alerts: Counter[str] = Counter()

    async def listen(self, redis: RedisSettings) -> None:
        url = redis.url.get_secret_value()
        async with (
            DefectAlerts(url, group="plc", start="beginning", prefix=redis.prefix) as alerts,
            aclosing(alerts.only(DefectFilter())) as handed_out,
        ):
            async for alert in handed_out:
                self.alerts[alert.defect.event_id] += 1
                await alert.ack()


class Plant:
    """A line with a sink under way. What waits, waits without blocking the listener."""

    def __init__(self, line: Line, feed: Feed, listener: Listener, folder: Path) -> None:
        self.line = line
        self.feed = feed
        self.listener = listener
        self.folder = folder

    @property
    def log(self) -> str:
        return (self.folder / "sink.log").read_text()

    async def until(self, reached: Callable[[], bool], timeout_s: float, what: str) -> float:
        """Returns the seconds that it took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.to_thread(self.line.wait_for, reached, timeout_s, what)
        return loop.time() - began

    async def wait_for_alerts(self, ids: list[str], timeout_s: float = 60.0) -> float:
        """Wait until the listener has heard of all these events; returns the seconds that it took."""
        return await self.until(lambda: set(ids) <= self.listener.alerts.keys(), timeout_s, f"{len(ids)} alerts")

    async def audit(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(await asyncio.to_thread(self.line.run, "audit", "--json", code=None))
        return report

    async def accounted(self, frames: int, timeout_s: float = 60.0) -> float:
        return await self.until(lambda: self.line.audit()["ledger"]["inspected"] == frames, timeout_s, "the account")

    async def nothing_lost_nothing_twice(self, ids: list[str]) -> None:
        """Each of these events once, in Redis and on Kafka; every frame in the account."""
        await self.wait_for_alerts(ids)
        await self.accounted(self.feed.frames)
        assert sorted(self.listener.alerts.elements()) == ids
        on_kafka = await events_on_kafka(self.feed.kafka, ids)
        assert sorted(on_kafka.elements()) == ids
        report = await self.audit()
        assert report["balanced"]
        counts = {name: report["ledger"][name] for name in ("captured", "inspected", "lost", "in_flight", "duplicates")}
        frames = self.feed.frames
        assert counts == {"captured": frames, "inspected": frames, "lost": 0, "in_flight": 0, "duplicates": 0}


@asynccontextmanager
async def plant(
    folder: Path, kafka: KafkaSettings, redis: RedisSettings, rounds: int, encoding: Encoding, **sinks: object
) -> AsyncIterator[Plant]:
    """`sinks`: keys of that section of line.yaml."""
    with Line(folder, kafka, redis, folder) as line:
        line.document["sinks"].update(sinks)
        # the feed's cameras send nothing between its rounds, which is no stall here
        line.document["run"] = {**line.document.get("run", {}), "stalled_s": 600.0}
        await asyncio.to_thread(line.write)
        feed = Feed(load(line.config, {}), rounds, encoding)
        await feed.lay_out()
        await asyncio.to_thread(line.start, "sink", "sink")
        listener = Listener()
        listening = asyncio.create_task(listener.listen(redis))
        try:
            yield Plant(line, feed, listener, folder)
            assert await asyncio.to_thread(line.stop, "sink") == 0
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
