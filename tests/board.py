"""A whole board in this process, on a SQLite store of its own, for tests: its pages by a client, or at an address."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pydantic import SecretStr
from starlette.applications import Starlette

from andon import redis
from andon.alarms import Alarm, AlarmRequest
from andon.clock import Clock, SystemClock
from andon.errors import RetryableError
from andon.events import Event
from andon.messages import Defect, PartVerdict, RecordRef
from andon.settings import BoardRole, RedisSettings, Settings
from andon.stream.offsets import Partition
from andon.stream.ranges import Enough, never
from andon.wire import Record
from sinks.board import pages
from sinks.board.app import make_app
from sinks.board.board import Board
from sinks.board.hub import Hub
from sinks.board.live import live_of
from sinks.board.news import News, NewsSources
from sinks.board.security.directory import digest, new_token
from sinks.board.security.guard import RequestGuard
from sinks.board.security.passwords import Passwords
from sinks.board.server import served
from sinks.board.store import BoardStore
from sinks.channels.annotation import annotated
from sinks.channels.evidence_files import EvidenceFacts, facts_path, raw_path
from sinks.channels.files import Files
from sinks.judgement.consequences import evidence_path
from sinks.store import alarm_rows, inserts, queries, sums, tables
from sinks.store.database import opened
from sinks.store.users import StoredToken, StoredUser, add_user, put_token, signing_key

NO_REDIS = RedisSettings(url=SecretStr("redis://127.0.0.1:1/0"), timeout_s=0.5)
"""Nobody listens there: the board shows what it can without."""
EPOCH = "test"
QUICK = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
"""Of no use against guessing, but quick."""
_EMPTY: list[bytes] = []


class MemoryRecords:
    """Frames by reference, without a broker."""

    def __init__(self) -> None:
        self.records: dict[RecordRef, Record] = {}

    async def read(self, ref: RecordRef) -> Record | None:
        return self.records.get(ref)

    async def read_range(
        self, partition: Partition, first: int, last: int | None, key: bytes, enough: Enough = never
    ) -> list[Record]:
        there = [item for ref, item in self.records.items() if (ref.topic, ref.partition) == partition]
        most = max((item.offset for item in there), default=0) if last is None else last
        return [item for item in there if first <= item.offset <= most and item.key == key]


class MemoryRequests:
    """People's requests for alarms, without a broker."""

    def __init__(self) -> None:
        self.sent: list[AlarmRequest] = []
        self.away = False

    async def send(self, request: AlarmRequest) -> None:
        if self.away:
            raise RetryableError("the broker is away")
        self.sent.append(request)


@dataclass(slots=True)
class TestBoard:
    __test__ = False
    board: Board
    app: Starlette
    records: MemoryRecords
    events: list[Event] = field(default_factory=list)
    url: str = ""
    """Empty: it is not served."""
    requests: MemoryRequests = field(default_factory=MemoryRequests)

    def client(self, **kwargs: Any) -> httpx.AsyncClient:
        """A client of the application itself, without a server."""
        transport = httpx.ASGITransport(app=self.app)
        return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", **kwargs)

    async def put_defects(self, *events: Defect) -> None:
        """As the sinks store them."""
        latest, rows = queries._latest(events), [queries._event_row(event) for event in events]
        await self.board.store.write(lambda connection: inserts.upsert(connection, tables.defects, latest))
        await self.board.store.write(lambda connection: inserts.add_missing(connection, tables.defect_events, rows))
        opened = [event for event in events if event.transition == "opened"]
        await self.board.store.write(lambda connection: sums.add(connection, (), opened, ()))

    async def put_parts(self, *verdicts: PartVerdict) -> None:
        rows = [queries._part_row(verdict) for verdict in verdicts]
        await self.board.store.write(lambda connection: inserts.add_missing(connection, tables.parts, rows))
        await self.board.store.write(lambda connection: sums.add(connection, (), (), verdicts))

    def put_evidence(self, defect: Defect, picture: bytes, size: tuple[int, int], **facts: Any) -> None:
        """As the sinks store it: the untouched picture, its facts, and the picture with the mark."""
        files = Files(self.board.settings.sinks.evidence.url)
        path = evidence_path(defect.defect_id, defect.opened_at)
        given = {
            "frame": defect.best_frame,
            "record": RecordRef(topic="andon.frames", partition=0, offset=7),
            "captured_at": defect.opened_at,
            "content_type": "image/jpeg",
            "width": size[0],
            "height": size[1],
            "bytes": len(picture),
            "sha256": hashlib.sha256(picture).hexdigest(),
            "defect": defect,
        }
        files.write(raw_path(path, "image/jpeg"), picture)
        files.write(facts_path(path), EvidenceFacts.model_validate({**given, **facts}).model_dump_json().encode())
        files.write(path, annotated(picture, defect, 90))

    async def put_alarms(self, *alarms: Alarm) -> None:
        """As the sinks store them."""
        latest, steps = alarm_rows.latest(alarms), [alarm_rows.event_row(alarm) for alarm in alarms]
        await self.board.store.write(lambda connection: inserts.upsert(connection, tables.alarms, latest))
        await self.board.store.write(lambda connection: inserts.add_missing(connection, tables.alarm_events, steps))

    async def put_camera(self, camera: str, fields: Mapping[str, str]) -> None:
        """A camera's live state, as sinks write it to Redis."""
        prefix = self.board.settings.redis.prefix
        await self.board.redis.hset(f"{prefix}:camera:{camera}", mapping=dict(fields.items()))
        await self.board.redis.sadd(f"{prefix}:cameras", camera)

    async def add_user(self, name: str, role: BoardRole, password: str = "correct horse battery") -> None:
        now = self.board.clock.now()
        user = StoredUser(name, self.board.guard.passwords.hash(password), role, now, now)
        assert await self.board.store.write(lambda connection: add_user(connection, user))
        self.board.guard.directory.forget()

    async def add_token(self, user: str, role: BoardRole, expires_in: float = 3600.0) -> str:
        """A token of this user."""
        token, now = new_token(), self.board.clock.now()
        row = StoredToken(
            digest(token), role, user, role, now, now.fromtimestamp(now.timestamp() + expires_in, now.tzinfo)
        )
        await self.board.store.write(lambda connection: put_token(connection, row))
        self.board.guard.directory.forget()
        return token


@asynccontextmanager
async def a_board(
    folder: Path,
    settings: Mapping[str, Any] | None = None,
    redis_at: RedisSettings = NO_REDIS,
    clock: Clock | None = None,
) -> AsyncIterator[TestBoard]:
    """`settings`: sections of line.yaml. Nobody reads news until `reading_news`, and it is at no address until `at`."""
    store_url = f"sqlite:///{folder}/board.db"
    sinks = {"store": store_url, "evidence": {"url": str(folder / "evidence")}}
    line = Settings.model_validate({"sinks": sinks, **(settings or {})})
    line = line.model_copy(update={"redis": redis_at})
    clock, events = clock or SystemClock(), list[Event]()
    await _empty_store(folder / "board.db")
    store = await BoardStore.open(line.sinks.store.get_secret_value())
    client = redis.client(line.redis.url.get_secret_value(), line.redis.timeout_s)
    guard = RequestGuard(await store.write(signing_key), store, line.board, clock, Passwords(QUICK))
    hub, records = Hub(EPOCH, line.board.viewers), MemoryRecords()
    requests = MemoryRequests()
    sources = NewsSources(client, line.redis, store, clock, events.append)
    news = News(sources, hub, line.board)
    live = live_of(line, sources, news, hub, records)
    board = Board(line, store, client, records, hub, news, live, guard, clock, events.append, requests)
    try:
        yield TestBoard(board, make_app(board), records, events, requests=requests)
    finally:
        hub.close()
        live.close()
        guard.close()
        await client.aclose()
        await store.close()


async def _empty_store(file: Path) -> None:
    """A store without rows. The migrations run once for all tests of a process."""
    if not _EMPTY:
        await (await opened(f"sqlite:///{file}")).close()
        _EMPTY.append(await asyncio.to_thread(file.read_bytes))
    elif not await asyncio.to_thread(file.exists):
        await asyncio.to_thread(file.write_bytes, _EMPTY[0])


@asynccontextmanager
async def reading_news(board: Board) -> AsyncIterator[None]:
    """Within the block the board's news are read."""
    for look in pages.watches(board):
        board.news.every(*look)
    reading = asyncio.create_task(board.news.run(), name="test.news")
    try:
        yield
    finally:
        ended = reading.done()
        reading.cancel()
        await asyncio.wait({reading})
        if ended:
            reading.result()  # it never ends by itself: this raises why it did


@asynccontextmanager
async def at_an_address(ours: TestBoard) -> AsyncIterator[str]:
    """Served at a free port, with its news being read. Yields the address."""
    async with reading_news(ours.board), served(ours.app, ours.board.settings.board) as url:
        ours.url = url
        yield url
        ours.board.hub.close()


def texts(answer: httpx.Response) -> Sequence[str]:
    """The lines of an answer, without white space around them."""
    return [line.strip() for line in answer.text.splitlines() if line.strip()]
