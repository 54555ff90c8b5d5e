"""What the board costs under load: `python -m tests.soak.board_load` prints the figures of docs/board.md.

One board process, 100 cameras that change four times a second, 50 viewers with open streams who ask for what a page
asks for, 5,000 events an hour. Then one live view at 10 frames a second, on Apache Kafka (ANDON_KAFKA_HOME).
"""

import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

import httpx
import psutil
import yaml
from redis.asyncio import Redis
from redis.typing import EncodableT, FieldT

from andon import redis
from andon.cameras.live import COUNTS
from andon.events import silent
from andon.messages import RecordRef
from andon.settings import KafkaSettings, RedisSettings, Settings
from andon.stream.clients import producer, started
from andon.stream.publisher import KafkaPublisher
from andon.stream.topics import ensure_topics
from andon.wire import encode
from sinks.store import inserts, queries, tables
from sinks.store.database import Database, opened
from tests import kafka_server
from tests.browser.seeds import a_defect, a_frame, an_inspection, live
from tests.redis_server import MortalRedis

CAMERAS, VIEWERS, EVENTS_AN_HOUR = 100, 50, 5_000
WRITE_S = 0.25
"""As the sinks write."""
LOAD_S, LIVE_S = 40.0, 15.0
LIVE_FPS = 10
MB = 1_000_000


@dataclass
class ViewerFigures:
    """What the viewers measured."""

    inserted: dict[str, float] = field(default_factory=dict)
    """When each defect was stored."""
    late_s: list[float] = field(default_factory=list)
    """From there to the message at a viewer."""
    page_s: list[float] = field(default_factory=list)
    messages: int = 0


@asynccontextmanager
async def a_board(folder: Path, at_redis: RedisSettings, kafka: KafkaSettings) -> AsyncIterator[tuple[str, int]]:
    line = folder / "line.yaml"
    settings = {
        "board": {"port": 0},
        "redis": {"url": at_redis.url.get_secret_value(), "prefix": at_redis.prefix},
        "kafka": {"bootstrap_servers": kafka.bootstrap_servers},
        "sinks": {"store": f"sqlite:///{folder}/andon.db"},
    }
    line.write_text(yaml.safe_dump(settings))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "andon", "board", "-c", str(line)), cwd=folder, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        async for text in process.stderr:
            if found := re.search(r"board\.opened .*url=(\S+)", text.decode()):
                drain = asyncio.create_task(process.stderr.read())
                yield found[1], process.pid
                drain.cancel()
                return
        raise RuntimeError("the board did not open")
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def fields(name: str) -> dict[FieldT, EncodableT]:
    """A camera's hash, as redis-py takes it."""
    return {key: value for key, value in (live(name) | dict.fromkeys(COUNTS, "1")).items()}  # noqa: C416  # for its types


async def write_cameras(client: Redis, prefix: str) -> None:
    names = [f"press-{number}" for number in range(CAMERAS)]
    while True:
        begun_s = time.monotonic()
        async with client.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.hset(f"{prefix}:camera:{name}", mapping=fields(name))
            pipe.sadd(f"{prefix}:cameras", *names)
            await pipe.execute()
        await asyncio.sleep(max(0.0, WRITE_S - (time.monotonic() - begun_s)))


async def write_events(database: Database, figures: ViewerFigures) -> None:
    number = 0
    while True:
        await asyncio.sleep(3600 / EVENTS_AN_HOUR)
        number += 1
        event = a_defect(number, f"press-{number % CAMERAS}")
        rows = queries._latest([event])
        await database.run(lambda connection, rows=rows: inserts.upsert(connection, tables.defects, rows))  # type: ignore[misc]
        figures.inserted[event.defect_id] = time.monotonic()


async def watch(client: httpx.AsyncClient, url: str, figures: ViewerFigures) -> None:
    """One viewer's stream."""
    async with client.stream("GET", f"{url}/events", timeout=None) as answer:
        async for text in answer.aiter_lines():
            figures.messages += text.startswith("event:")
            for found in re.findall(r'"id":"([^"]+)"', text) if '"defects"' in text else ():
                if found in figures.inserted:
                    figures.late_s.append(time.monotonic() - figures.inserted[found])


async def ask(client: httpx.AsyncClient, url: str, figures: ViewerFigures, number: int) -> None:
    """What a page asks for besides: the newest defect when there is one, and now and then the whole page."""
    known = 0
    while True:
        await asyncio.sleep(0.2)
        if len(figures.inserted) == known:
            continue
        known = len(figures.inserted)
        for path in ("/andon/defect", *(("/",) if known % 20 == number % 20 else ())):
            begun_s = time.monotonic()
            (await client.get(url + path)).raise_for_status()
            figures.page_s.append(time.monotonic() - begun_s)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def p95_ms(values: list[float]) -> float:
    return 1000 * quantiles(values, n=20)[-1]


def cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


async def under_load(url: str, pid: int, client: Redis, prefix: str, database: Database) -> None:
    figures = ViewerFigures()
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=30) as web, asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(write_cameras(client, prefix))
        await asyncio.sleep(3)
        idle_s = cpu_s(pid)
        await asyncio.sleep(10)
        say(f"nobody looks, {CAMERAS} cameras: {100 * (cpu_s(pid) - idle_s) / 10:.1f} % of a core")
        others = [tasks.create_task(watch(web, url, figures)) for _ in range(VIEWERS)]
        others += [tasks.create_task(ask(web, url, figures, number)) for number in range(VIEWERS)]
        others += [tasks.create_task(write_events(database, figures)), writing]
        await asyncio.sleep(3)
        begun_s, before_s = time.monotonic(), cpu_s(pid)
        await asyncio.sleep(LOAD_S)
        core = (cpu_s(pid) - before_s) / (time.monotonic() - begun_s)
        for task in others:
            task.cancel()
    rss = psutil.Process(pid).memory_info().rss / MB
    say(
        f"{CAMERAS} cameras, {VIEWERS} viewers, {len(figures.inserted)} events: "
        f"{100 * core:.0f} % of a core, {rss:.0f} MB"
    )
    say(
        f"event -> stream p95 {p95_ms(figures.late_s):.0f} ms ({len(figures.late_s)}), "
        f"page p95 {p95_ms(figures.page_s):.0f} ms"
    )
    say(f"{figures.messages} messages")


async def live_view(url: str, pid: int, client: Redis, prefix: str, kafka: KafkaSettings) -> None:
    """One viewer of one camera that sends 10 frames a second."""
    async with started(lambda: producer(kafka, silent), kafka, silent) as sending, httpx.AsyncClient(timeout=30) as web:
        publisher = KafkaPublisher(sending, kafka.request_timeout_s)

        async def deliver() -> None:
            for seq in range(10_000):
                frame = a_frame("press-0", seq)
                ref: RecordRef = await (await publisher.send(kafka.frames_topic, encode(frame)))
                found = an_inspection(frame, ref).model_dump_json()
                await client.set(f"{prefix}:inspection:press-0", found)
                await client.hset(f"{prefix}:camera:press-0", mapping=fields("press-0"))
                await asyncio.sleep(1 / LIVE_FPS)

        async def look() -> int:
            shown = 0
            async with web.stream("GET", f"{url}/events?also=camera:press-0", timeout=None) as answer:
                async for text in answer.aiter_lines():
                    if found := re.search(r'"picture":"([^"]+)"', text):
                        (await web.get(url + found[1])).raise_for_status()
                        shown += 1
                        frames.append(shown)
            return shown

        frames: list[int] = []
        await client.delete(*[f"{prefix}:camera:press-{number}" for number in range(1, CAMERAS)])
        await client.delete(f"{prefix}:cameras")
        await client.sadd(f"{prefix}:cameras", "press-0")
        delivering = asyncio.create_task(deliver())
        await asyncio.sleep(2)
        before_s = cpu_s(pid)
        await asyncio.sleep(LIVE_S)
        nobody = (cpu_s(pid) - before_s) / LIVE_S
        looking = asyncio.create_task(look())
        await asyncio.sleep(2)
        begun, before_s = len(frames), cpu_s(pid)
        await asyncio.sleep(LIVE_S)
        core, fps = (cpu_s(pid) - before_s) / LIVE_S, (len(frames) - begun) / LIVE_S
        say(f"one camera, nobody looks: {100 * nobody:.1f} % of a core")
        say(f"live view: {fps:.1f} frames/s, {core:.1%} of a core, of which it costs {core - nobody:.1%}")
        for task in (looking, delivering):
            task.cancel()
        await asyncio.wait({looking, delivering})


async def main() -> None:
    if reason := kafka_server.missing():
        sys.exit(reason)
    with (
        TemporaryDirectory() as name,
        MortalRedis() as server,
        kafka_server.KafkaServer(Path(name) / "kafka") as broker,
    ):
        folder = Path(name)
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        await ensure_topics(Settings(kafka=kafka), silent)
        database = await opened(f"sqlite:///{folder}/andon.db")
        client = redis.client(server.settings.url.get_secret_value(), 5.0)
        async with a_board(folder, server.settings, kafka) as (url, pid):
            await under_load(url, pid, client, server.settings.prefix, database)
            await live_view(url, pid, client, server.settings.prefix, kafka)
        await client.aclose()
        await database.close()


if __name__ == "__main__":
    asyncio.run(main())
