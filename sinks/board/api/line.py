"""The line itself: who asks, and whether the news are fresh."""

from datetime import datetime

from pydantic import BaseModel
from starlette.requests import Request

from andon import __version__
from andon.settings import BoardRole
from sinks.board.api.operation import operation
from sinks.board.board import board_of
from sinks.board.security.roles import user_of


class LineStatus(BaseModel):
    line: str
    version: str
    at: datetime
    """The board's time."""
    user: str
    role: BoardRole
    cameras: int
    """Those that have a live state."""
    faults: dict[str, str]
    """Sources of news that are away, and why. Empty: the board is up to date."""


@operation("GET", "/line", role="viewer", summary="The line, who asks, and what the board can't reach")
async def read_line(request: Request) -> LineStatus:
    board, user = board_of(request), user_of(request)
    return LineStatus(
        line=board.settings.line,
        version=__version__,
        at=board.clock.now(),
        user=user.name,
        role=user.role,
        cameras=len(board.news.cameras),
        faults=board.news.faults(),
    )


OPERATIONS = (read_line,)
