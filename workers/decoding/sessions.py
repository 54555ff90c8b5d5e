"""The sessions that send one camera's video, each with a decoder of its own.

Two ingest hosts send a camera by turns when one of them was cut off: it sends what it has spooled, while the other one
sends new frames. Each session's frames build on those of that session alone.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from andon.clock import Clock
from workers.decoding.health import VideoHealth
from workers.decoding.stream import CameraStream

KEPT_S = 600.0
"""For how long a silent session keeps its decoder. Its next frames may wait in a spool, and build on those before."""
MOST = 2
"""Sessions of one camera at a time."""


@dataclass(slots=True, eq=False)
class VideoSession:
    stream: CameraStream
    heard_s: float
    """When its latest record came; like `since_s`, on the monotonic clock."""
    since_s: float
    """Since when `start` is the same."""
    start: int | None = None
    """As the stream's, after the latest call."""
    held: Sequence[tuple[int, int]] = ()
    has_decoder: bool = False

    def update(self, now_s: float) -> None:
        """The stream has done some work."""
        if self.stream.start != self.start:
            self.start, self.since_s = self.stream.start, now_s
        self.held = self.stream.held


class Decoders:
    """The decoders that a worker has open. A spare one is closed where there is no room for another."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._open = 0
        self._spare: dict[VideoSession, None] = {}
        """Their cameras go on with another session, and no thread works on them. The oldest comes first."""

    @property
    def full(self) -> bool:
        return self._open - len(self._spare) >= self.most

    def take(self, session: VideoSession) -> bool:
        """Whether the session has a decoder, or there is room for one."""
        self.use(session)
        if session.has_decoder:
            return True
        if self._open >= self.most and self._spare:
            oldest = next(iter(self._spare))
            oldest.stream.close()
            oldest.start = None
            self.leave(oldest)
        if self._open >= self.most:
            return False
        self._open += 1
        session.has_decoder = True
        return True

    def use(self, session: VideoSession) -> None:
        """It is not spare: a thread is about to work on it."""
        self._spare.pop(session, None)

    def spare(self, session: VideoSession) -> None:
        if session.has_decoder:
            self._spare[session] = None

    def leave(self, session: VideoSession) -> None:
        """The session needs no decoder."""
        self.use(session)
        if session.has_decoder:
            session.has_decoder = False
            self._open -= 1


class VideoSessions:
    """Of one camera. Event loop only; a stream is worked on by one thread at a time, between two calls."""

    def __init__(
        self, open_stream: Callable[[VideoHealth], CameraStream], decoders: Decoders, clock: Clock, hold_s: float
    ) -> None:
        """`hold_s`: for how long a session may hold frames back while another one sends."""
        self._open_stream = open_stream
        self._decoders = decoders
        self._clock = clock
        self._hold_s = hold_s
        self._by_name: dict[str, VideoSession] = {}
        self._current: VideoSession | None = None
        self._health: VideoHealth | None = None
        """Of the latest session. The next one's begins with what it has learned."""

    def __iter__(self) -> Iterator[VideoSession]:
        return iter(list(self._by_name.values()))

    def find(self, name: str | None) -> VideoSession | None:
        return None if name is None else self._by_name.get(name)

    @property
    def held(self) -> list[tuple[int, int]]:
        """As `CameraStream.held`, of all sessions."""
        return [item for session in self._by_name.values() for item in session.held]

    def surplus(self, name: str) -> list[VideoSession]:
        """Sessions that must end before this one's next record."""
        now_s = self._clock.monotonic()
        others = sorted((one for at, one in self._by_name.items() if at != name), key=lambda one: one.heard_s)
        silent = [one for one in others if now_s - one.heard_s > (self._hold_s if one.held else KEPT_S)]
        return silent or others[: max(0, len(others) + 1 - MOST)]

    def turn(self, name: str) -> VideoSession:
        """The session whose record comes next."""
        now_s, session = self._clock.monotonic(), self._by_name.get(name)
        if session is None:
            self._health = VideoHealth(self._health)
            session = self._by_name[name] = VideoSession(self._open_stream(self._health), now_s, now_s)
        before, self._current = self._current, session
        session.heard_s = now_s
        if before is not None and before is not session:
            self.rest(before)
        return session

    def rest(self, session: VideoSession) -> None:
        """Nobody works on the session now."""
        if session is not self._current and not session.held:
            self._decoders.spare(session)

    def drop(self, session: VideoSession) -> None:
        """It has ended."""
        self._decoders.leave(session)
        self._by_name = {name: one for name, one in self._by_name.items() if one is not session}
        if self._current is session:
            self._current = None

    def needs(self, unsettled: dict[int, tuple[int, VideoSession]]) -> list[int]:
        """Offsets from which a successor must read. `unsettled`: see `VideoPartition`."""
        now_s = self._clock.monotonic()
        under_way = [(start, offset, one) for one in self._by_name.values() for start, offset in one.held]
        under_way += [(start, offset, one) for offset, (start, one) in unsettled.items()]
        needs = [start if self._young(one, now_s) else offset for start, offset, one in under_way]
        sessions = self._by_name.values()
        return needs + [one.start for one in sessions if one.start is not None and self._young(one, now_s)]

    def _young(self, session: VideoSession, now_s: float) -> bool:
        return now_s - session.since_s <= self._hold_s
