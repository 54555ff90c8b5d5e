"""What the page of actions and its API show."""

from datetime import datetime

from pydantic import Field, JsonValue

from sinks.board.cursor import Page
from sinks.board.models.query import Query, View


class ActionQuery(Query):
    cursor: str | None = Field(default=None, max_length=2_000)
    limit: int = Field(default=100, ge=1, le=500)


class ActionView(View):
    at: datetime
    user: str
    via: str
    """`session`, `oidc`, `token`, `command` for the command line, or `open` on a board without users."""
    address: str
    action: str
    target: str
    detail: dict[str, JsonValue]


class ActionPage(Page[ActionView]):
    pass
