"""`/system`: lag, latency, outbox, disks, ledger, processes and models."""

import asyncio
from collections.abc import Iterator
from typing import Any

from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from andon import __version__
from andon.errors import RetryableError
from sinks.board.board import Board, board_of
from sinks.board.news import Look
from sinks.board.rendering import render
from sinks.board.running_processes import processes
from sinks.board.security.roles import requires
from sinks.board.system_news import (
    NOT_YET,
    SAMPLE,
    lags,
    ledger_of,
    rooms,
    samples,
    store_facts,
    system_view,
)

TOPIC = "system:now"
INSPECTIONS = "inspections"
"""The look at the stream of inspections, among the faults of the news; the template knows the name."""
EVERY_S = 10.0


@requires("viewer")
async def system(request: Request) -> Response:
    return render(request, "system.html", **_shown(request))


@requires("viewer")
async def now(request: Request) -> Response:
    return render(request, "system_now.html", **_shown(request))


def _shown(request: Request) -> dict[str, Any]:
    board = board_of(request)
    return {"view": system_view(board.system, board.clock.now()), "faults": board.news.faults()}


def watch(board: Board) -> Iterator[tuple[str, Look]]:
    yield INSPECTIONS, lambda: look_at_inspections(board)
    yield "system", lambda: look_at_system(board)


async def look_at_inspections(board: Board) -> None:
    """Take a sample of what was inspected since the last look. Raises RetryableError while Redis is away."""
    news, redis = board.system, board.settings.redis
    after = news.last_id if news.last_id == "-" else f"({news.last_id}"
    try:
        async with asyncio.timeout(redis.timeout_s):
            entries: Any = await board.redis.xrevrange(f"{redis.prefix}:inspections", "+", after, count=SAMPLE)
    except (RedisError, OSError, TimeoutError) as error:
        raise RetryableError(f"Redis: {type(error).__name__}") from None
    if entries:
        news.last_id = entries[0][0].decode()
    for sample in samples(entries):
        news.latencies.add(sample)


async def look_at_system(board: Board) -> None:
    """Lag and outbox every EVERY_S, for their trends; all of it while somebody looks, at once for who comes."""
    news, clock = board.system, board.clock
    watched, now_s = board.hub.watched(TOPIC), clock.monotonic()
    if news.looked_s is None:
        news.looked_s = now_s  # a board that starts has better things to do
    if now_s - news.looked_s < EVERY_S and not (watched and not news.watched):
        return
    news.looked_s, news.watched = now_s, watched
    depths, cameras, revision = await board.store.read(store_facts)
    if not watched:
        news.backlogs.add(clock.now(), await lags(board.settings), depths)
        return
    settings = board.settings
    behind, running = await asyncio.gather(lags(settings), processes(settings))
    news.backlogs.add(clock.now(), behind, depths)
    disks = await asyncio.to_thread(rooms, settings, news, clock.monotonic())
    news.view = NOT_YET.model_copy(
        update={
            "measured_at": clock.now(),
            "version": __version__,
            "schema_revision": revision,
            "broker": behind is not None,
            "lags": behind or [],
            "outbox": depths,
            "disks": disks,
            "ledger": ledger_of(cameras),
            "processes": running,
        }
    )
    board.hub.publish(TOPIC, {})


def routes() -> list[Route]:
    return [Route("/system", system), Route("/system/now", now)]
