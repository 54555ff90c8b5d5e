"""Everything behind the andon and the cameras' pages. One for the process; `close` ends its threads."""

from collections.abc import Iterator
from dataclasses import dataclass

from andon.settings import Settings
from sinks.board.andon import Andon, AndonSources
from sinks.board.camera_registry import CameraRegistry
from sinks.board.camera_trial import Trials
from sinks.board.hub import Hub
from sinks.board.live_views import LiveViews
from sinks.board.news import Look, News, NewsSources
from sinks.board.pictures import BoardPictures, FrameReader
from sinks.board.production import ProductionWatch
from sinks.board.small_pictures import SmallPictures
from sinks.board.standing_alarms import StandingAlarms


@dataclass(frozen=True, slots=True)
class LiveBoard:
    andon: Andon
    production: ProductionWatch
    registry: CameraRegistry
    views: LiveViews
    pictures: BoardPictures
    small: SmallPictures
    trials: Trials

    def close(self) -> None:
        self.pictures.close()
        self.small.close()

    def watches(self) -> Iterator[tuple[str, Look]]:
        """What the news look at for it."""
        yield "andon", self.andon.look
        yield "parts", self.production.look
        yield "live views", self.views.look


def live_of(settings: Settings, sources: NewsSources, news: News, hub: Hub, records: FrameReader) -> LiveBoard:
    """Wired, and reading nothing yet: the news call `watches`, and the role runs the registry."""
    registry = CameraRegistry(settings)
    topics = frozenset(settings.pool_topic(pool) for pool in settings.pools)
    return LiveBoard(
        andon=Andon(
            AndonSources(news, registry, StandingAlarms(sources.store).read), hub, settings.board, sources.clock
        ),
        production=ProductionWatch(sources.store, hub, settings, sources.clock),
        registry=registry,
        views=LiveViews(sources.redis, settings.redis, hub),
        pictures=BoardPictures(records, topics),
        small=SmallPictures(),
        trials=Trials(),
    )
