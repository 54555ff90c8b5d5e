"""Events of the board."""

from dataclasses import dataclass
from typing import ClassVar

from andon.events.event import Event, Level


@dataclass(frozen=True, slots=True)
class BoardOpened(Event):
    """The board answers at this address."""

    name: ClassVar[str] = "board.opened"
    url: str
    access: str
    """`users`, or `everybody on this machine`."""


@dataclass(frozen=True, slots=True)
class PageServed(Event):
    """A page, a fragment or an answer of the API: how long until its first byte left."""

    name: ClassVar[str] = "board.page"
    level: ClassVar[Level] = "debug"
    page: str
    """The route's path, with its parameters' names."""
    status: int
    seconds: float


@dataclass(frozen=True, slots=True)
class BoardFailed(Event):
    """A page could not be made for a reason that nobody foresaw. The board goes on."""

    name: ClassVar[str] = "board.failed"
    level: ClassVar[Level] = "error"
    page: str
    error: str


@dataclass(frozen=True, slots=True)
class NewsLost(Event):
    """The board can't read its news: Redis or the store is away. It says so on each page, and goes on trying."""

    name: ClassVar[str] = "board.news_lost"
    level: ClassVar[Level] = "warning"
    source: str
    error: str


@dataclass(frozen=True, slots=True)
class NewsFound(Event):
    """The news come again."""

    name: ClassVar[str] = "board.news_found"
    source: str


@dataclass(frozen=True, slots=True)
class LoginRefused(Event):
    """A log-in failed. The address may be that of somebody who guesses passwords."""

    name: ClassVar[str] = "board.login_refused"
    level: ClassVar[Level] = "warning"
    address: str
    reason: str


@dataclass(frozen=True, slots=True)
class NewsPublished(Event):
    """A message went to the open pages."""

    name: ClassVar[str] = "board.news"
    level: ClassVar[Level] = "debug"
    topic: str
    """Without what follows a colon, which names a camera."""


@dataclass(frozen=True, slots=True)
class ViewerCutOff(Event):
    """An open page took no news any more, so its stream was ended; its browser opens another one."""

    name: ClassVar[str] = "board.viewer_cut_off"
    address: str
