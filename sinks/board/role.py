"""`andon board`: opens the store, Redis and Kafka's frames for reading, and serves the board until it is stopped."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from functools import partial

from andon import redis
from andon.alarms.requests import AlarmRequests
from andon.errors import ConfigError, RetryableError
from andon.events import BoardOpened, ServerUnfit
from andon.process.lifecycle import Life
from sinks.board import pages
from sinks.board.app import make_app
from sinks.board.board import Board
from sinks.board.hub import Hub
from sinks.board.live import live_of
from sinks.board.news import News, NewsSources
from sinks.board.records import LazyRecords
from sinks.board.security.guard import RequestGuard
from sinks.board.server import is_loopback, served
from sinks.board.store import BoardStore
from sinks.store.actions import prune_actions
from sinks.store.users import signing_key

PRUNE_S = 3600.0


async def board(life: Life) -> None:
    """Serve until `life.stop`; then end the streams and close. Raises ConfigError for an address that is not safe."""
    async with opened_board(life) as ours:
        await require_safe(ours)
        for look in pages.watches(ours):
            ours.news.every(*look)
        async with served(make_app(ours), life.settings.board) as url:
            _watch(life, ours)
            access = "everybody on this machine" if await ours.guard.is_open() else "users"
            life.emit(BoardOpened(url, access))
            life.ready()
            await _run(life, ours)


async def _run(life: Life, ours: Board) -> None:
    async with asyncio.TaskGroup() as tasks:
        news = tasks.create_task(ours.news.run(), name="board.news")
        pruning = tasks.create_task(_prune_actions(ours), name="board.actions")
        registry = tasks.create_task(ours.live.registry.run(), name="board.registry")
        await life.stop.wait()
        ours.hub.close()
        for task in (news, pruning, registry):
            task.cancel()


async def _prune_actions(ours: Board) -> None:
    while True:
        with suppress(RetryableError):  # the news say that the store is away
            await prune_actions_once(ours)
        await asyncio.sleep(PRUNE_S)


async def prune_actions_once(ours: Board) -> None:
    """Delete the actions that are older than `board.actions_days`, some at a time."""
    before = ours.clock.now() - timedelta(days=ours.settings.board.actions_days)
    while await ours.store.write(partial(prune_actions, before=before)):
        pass


async def require_safe(ours: Board) -> None:
    """Raises ConfigError where others could open the board, and it would not know who they are."""
    settings = ours.settings.board
    if is_loopback(settings.host):
        return
    if await ours.guard.is_open():
        raise ConfigError(
            f"board.host: {settings.host} can be reached by others, and the board has no users:"
            " `andon user add NAME --role admin` first, or leave board.host at 127.0.0.1"
        )
    if settings.tls is None and not settings.behind_proxy:
        raise ConfigError(
            f"board.host: {settings.host} can be reached by others, and passwords would cross the network in the clear:"
            " set board.tls, or board.behind_proxy where a proxy in front speaks TLS"
        )


def _watch(life: Life, ours: Board) -> None:
    life.metrics.watch("andon_board_viewers", lambda: [((), float(ours.hub.viewers))])
    life.metrics.watch("andon_board_news_fault", lambda: [((name,), 1.0) for name in ours.news.faults()])


@asynccontextmanager
async def opened_board(life: Life) -> AsyncIterator[Board]:
    """Everything that pages need, closed at the end. Raises ConfigError or FatalError, one line each."""
    settings = life.settings
    async with AsyncExitStack() as stack:
        limit = partial(life.watchdog.limit, "the store", settings.sinks.store_timeout_s, "sinks.store_timeout_s")
        store = await BoardStore.open(settings.sinks.store.get_secret_value(), limit)
        stack.push_async_callback(store.close)
        for line in store.risks:
            life.emit(ServerUnfit(line))
        client = redis.client(settings.redis.url.get_secret_value(), settings.redis.timeout_s)
        stack.push_async_callback(client.aclose)
        records = LazyRecords(settings.kafka)
        stack.push_async_callback(records.close)
        requests = await stack.enter_async_context(AlarmRequests(settings.kafka, life.emit))
        guard = RequestGuard(await store.write(signing_key), store, settings.board, life.clock)
        stack.callback(guard.close)
        hub = Hub(life.clock.now().strftime("%Y%m%dT%H%M%S%f"), settings.board.viewers, life.emit)
        sources = NewsSources(client, settings.redis, store, life.clock, life.emit)
        news = News(sources, hub, settings.board)
        live = live_of(settings, sources, news, hub, records)
        stack.callback(live.close)
        yield Board(settings, store, client, records, hub, news, live, guard, life.clock, life.emit, requests)
