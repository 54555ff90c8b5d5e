"""What the andon shows, computed once for all its viewers: a tile for each camera, and the line's word.

A screen may show a part of the line (`board.screens`): a group of cameras with a word of its own.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from pydantic import JsonValue

from andon.cameras.live import LiveState, state_of
from andon.clock import Clock
from andon.errors import RetryableError
from andon.settings import BoardSettings, ScreenLine
from sinks.board.camera_registry import CameraRegistry
from sinks.board.hub import Hub
from sinks.board.line_state import BoardAlarm, LineObservation, LineState, line_state
from sinks.board.news import News
from sinks.board.state_ages import StateAges
from sinks.board.tiles import Tile, tile

WHOLE = "line"
"""The group of all cameras."""
WHOLE_S = 2.0
"""Between two messages with all tiles: a page that was made before it heard of a change shows it then. 2: they are
300 bytes each, and those of cameras that deliver change all the time anyway."""


@dataclass(frozen=True, slots=True)
class CameraAlarm:
    """An alarm that is active or not acknowledged, and the camera that it is of."""

    standing: BoardAlarm
    camera_id: str | None


Alarms = Callable[[], Awaitable[Sequence[CameraAlarm]]]
"""Raises RetryableError while the store is away."""


@dataclass(frozen=True, slots=True)
class AndonSources:
    """Where the andon's knowledge comes from."""

    news: News
    registry: CameraRegistry
    alarms: Alarms


class Andon:
    """`look` is called for every tick of the news. Event loop only."""

    def __init__(self, known: AndonSources, hub: Hub, settings: BoardSettings, clock: Clock) -> None:
        self.tiles: Mapping[str, Tile] = {}
        """By camera, as they were at the last look."""
        self.at = clock.now()
        """The moment of the last look, by the board's clock."""
        self._known = known
        self._hub = hub
        self._settings = settings
        self._clock = clock
        self._ages = StateAges(clock)
        self._groups = groups_of(settings)
        self._lines: dict[str, LineState] = {}
        self._sent: Mapping[str, dict[str, JsonValue]] = {}
        self._whole_s = 0.0

    def line(self, group: str = WHOLE) -> LineState:
        """The word of a group. Raises KeyError for one that no screen has."""
        return self._lines.get(group) or LineState("blind", self.at)

    def cameras(self, group: str = WHOLE) -> list[Tile]:
        """The tiles of a group. Raises KeyError for one that no screen has."""
        named = self._groups[group]
        return [shown for shown in self.tiles.values() if named is None or named.has(shown.camera_id)]

    async def look(self) -> None:
        """Bring tiles and words up to date, and publish what has changed."""
        self.at = self._clock.now()
        states = self._ages.of(_states(self._known.news))
        self.tiles = {
            name: tile(name, states.get(name), self._settings.fresh_s, enabled=self._known.registry.enabled(name))
            for name in self._names(states)
        }
        await self._judge()
        self._publish()

    def _names(self, states: Collection[str]) -> list[str]:
        """The cameras that the registry has; what Redis knows besides was removed. Without a registry: all of Redis."""
        registered = self._known.registry.cameras
        return sorted(states if registered is None else registered)

    async def _judge(self) -> None:
        try:
            alarms: Sequence[CameraAlarm] | None = await self._known.alarms()
        except RetryableError:
            alarms = None  # nobody knows, which is what the word says
        for group, named in self._groups.items():
            mine = None if alarms is None else [item.standing for item in alarms if _concerns(item, named)]
            before = self._lines.get(group)
            now = line_state(LineObservation(self.cameras(group), mine, self.at), before)
            if now != before:
                self._lines[group] = now
                self._hub.publish("line", {"group": group, "word": now.word, "since": now.since.isoformat()})

    def _publish(self) -> None:
        """Only changes, and only while somebody looks: a page that opens gets all tiles with it."""
        shown = {name: tile_json(camera, self.at) for name, camera in self.tiles.items()}
        gone = sorted(self._sent.keys() - shown.keys())
        new = bool(shown.keys() - self._sent.keys())
        whole = self._clock.monotonic() >= self._whole_s
        changed: list[JsonValue] = [camera for name, camera in shown.items() if whole or camera != self._sent.get(name)]
        self._sent = shown
        self._whole_s = self._clock.monotonic() + WHOLE_S if whole else self._whole_s
        if (changed or gone or whole) and self._hub.viewers:
            self._hub.publish("tiles", {"tiles": changed, "anew": bool(gone) or new}, keep=False)


class ScreenGroup:
    """The cameras of one line of a screen."""

    def __init__(self, line: ScreenLine) -> None:
        self.name = line.name
        self._patterns = line.cameras

    def has(self, camera_id: str) -> bool:
        return any(fnmatchcase(camera_id, pattern) for pattern in self._patterns)


def groups_of(settings: BoardSettings) -> dict[str, ScreenGroup | None]:
    """All groups by their keys; None: the whole line."""
    groups: dict[str, ScreenGroup | None] = {WHOLE: None}
    for screen, shown in settings.screens.items():
        groups |= {f"{screen}/{number}": ScreenGroup(line) for number, line in enumerate(shown.lines)}
    return groups


def tile_json(camera: Tile, at: datetime) -> dict[str, JsonValue]:
    """A tile as pages get it. Moments are the board's; ages grow in the page by themselves."""
    return {
        "id": camera.camera_id,
        "kind": camera.kind,
        "state": camera.state,
        "symbol": camera.symbol,
        "detail": camera.detail,
        "since": camera.since.isoformat() if camera.since else None,
        "heard_at": _before(at, camera.heard_s),
        "frame_at": _before(at, camera.frame_age_s),
        "verdict": camera.verdict,
        "fps": camera.fps,
        "open_defects": camera.open_defects,
    }


def _before(at: datetime, age_s: float | None) -> str | None:
    return None if age_s is None else (at - timedelta(seconds=age_s)).isoformat(timespec="milliseconds")


def _states(news: News) -> dict[str, LiveState]:
    states = {}
    for name, camera in news.cameras.items():
        try:
            states[name] = state_of(camera.fields)
        except ValueError:  # what no sink writes is no news
            continue
    return states


def _concerns(alarm: CameraAlarm, group: ScreenGroup | None) -> bool:
    """An alarm without a camera concerns every part of the line."""
    return group is None or alarm.camera_id is None or group.has(alarm.camera_id)
