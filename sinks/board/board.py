"""What every page and every answer of the API gets from the process: store, news, settings, clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import JsonValue
from redis.asyncio import Redis
from starlette.requests import Request

from andon.alarms import AlarmRequest
from andon.clock import Clock
from andon.events import Emit
from andon.settings import Settings
from sinks.board.hub import Hub
from sinks.board.live import LiveBoard
from sinks.board.news import News
from sinks.board.pictures import FrameReader
from sinks.board.security.guard import RequestGuard
from sinks.board.security.roles import user_of
from sinks.board.store import BoardStore
from sinks.board.system_news import SystemNews
from sinks.store.actions import Action, add_action
from sinks.store.reading import StoreReader


class Requests(Protocol):
    """The part of `andon.alarms.requests.AlarmRequests` that the board needs."""

    async def send(self, request: AlarmRequest) -> None: ...


@dataclass(frozen=True, slots=True)
class Board:
    settings: Settings
    store: BoardStore
    redis: Redis
    records: FrameReader
    """Connects at its first call. Raises RetryableError while the broker is away."""
    hub: Hub
    news: News
    live: LiveBoard
    """The andon, the registry of cameras, and pictures."""
    guard: RequestGuard
    """Who may do what: users, sessions, tokens."""
    clock: Clock
    emit: Emit
    requests: Requests
    """Where people's requests for alarms go."""
    system: SystemNews = field(default_factory=SystemNews)
    """What `/system` shows; pages/system.py fills it."""

    @property
    def reads(self) -> StoreReader:
        """The store for queries of pages."""
        return self.store.reads

    def action(
        self, request: Request, action: str, target: str, detail: Mapping[str, JsonValue] | None = None
    ) -> Action:
        """What `audit` keeps, for `add_action` in the transaction that carries the action out."""
        user = user_of(request)
        return Action(self.clock.now(), user.name, user.via, address_of(request), action, target, dict(detail or {}))

    async def audit(
        self, request: Request, action: str, target: str, detail: Mapping[str, JsonValue] | None = None
    ) -> None:
        """Keep that the request's user did `action`, such as `alarm.acknowledge`, to `target`. No secrets in `detail`.

        Raises RetryableError while the store is away: then the action must not happen either, so call it first.
        """
        entry = self.action(request, action, target, detail)
        await self.store.write(lambda connection: add_action(connection, entry))


def board_of(request: Request) -> Board:
    board: Board = request.app.state.board
    return board


def address_of(request: Request) -> str:
    """Where the request comes from; behind a proxy that is trusted, the browser's own address."""
    return request.client.host if request.client else ""
