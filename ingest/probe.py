"""Measures for a few seconds what a camera delivers; for `andon camera test`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from andon.clock import Clock
from andon.pictures.picture import Bgr
from ingest import arrivals as measures
from ingest.arrivals import Arrival, Drift, Keyframes
from ingest.sources.source import DamagedPictureError, FrameSource, Picture, SourceError, SourceInfo, next_picture
from ingest.sources.timeline import MediaTime

PACE = 0.1
"""A stream whose timestamps run faster or slower than time by more than this share is warned of."""


@dataclass(frozen=True, slots=True)
class Probe:
    info: SourceInfo
    frames: int
    corrupt: int
    """As a worker judges them."""
    damage: str
    """What the decoder says of the last corrupt one; empty: nothing."""
    fps: float
    """By the timestamps if there are any, else by the arrivals."""
    arrived_fps: float | None
    """By the arrivals. None: a file, or too few pictures."""
    pace: float | None
    """Seconds that the timestamps advance in one second. None: a file, no timestamps, or too few pictures."""
    jumps: int
    """How often the timestamps went back, or ahead by more than a second."""
    jitter_ms: float | None
    """Standard deviation of the arrivals from the timestamps. None: a file, or too few pictures."""
    drift: Drift | None
    """None: a file, too few pictures, or timestamps that are missing or jump."""
    bitrate_kbps: float | None
    """None: the source says nothing of the size of its pictures."""
    b_frames: bool
    """Pictures that need a later one came: the camera holds pictures back until it has that one."""
    keyframes: Keyframes | None
    """None: every picture is one, or the source has none."""
    last: Bgr | None = field(repr=False)
    """BGR uint8 (H, W, 3): the last whole picture."""
    travels: str = ""
    """How its pictures travel to the workers, and why; empty: nobody has asked."""


def probe(
    source: FrameSource,
    seconds: float,
    clock: Clock,
    waits: Callable[[str], object] = lambda _: None,
    patience_s: float = 60.0,
) -> Probe:
    """Read the source for `seconds` from its first picture on, of a file this much media time. Blocks.

    `waits` hears what a camera that delivers no picture waits for. Raises SourceError like `source.read`, and if the
    first picture takes longer than `patience_s`: nothing may trigger a camera.
    """
    arrivals: list[Arrival] = []
    last: Picture | None = None
    damage = ""
    opened_s = clock.monotonic()
    for arrived_s, picture in _Pictures(source, clock, waits).pictures(seconds, patience_s):
        wrong = _damage(picture)
        arrivals.append(_arrival(arrived_s, picture, corrupt=wrong is not None))
        damage = wrong or damage
        last = picture if wrong is None else last
    waited_s = clock.monotonic() - opened_s - (arrivals[-1].arrived_s if arrivals else 0.0)
    live = source.info.clock != "file"
    steady = measures.steady(arrivals) if live else []
    return Probe(
        info=source.info,
        frames=len(arrivals),
        corrupt=sum(item.corrupt for item in arrivals),
        damage=damage,
        fps=measures.fps(arrivals),
        arrived_fps=measures.rate([item.arrived_s for item in steady]),
        pace=measures.pace(steady),
        jumps=measures.jumps(arrivals),
        jitter_ms=measures.jitter_ms(steady),
        drift=measures.drift(steady),
        bitrate_kbps=measures.bitrate_kbps(steady or arrivals, live=live),
        b_frames=any(item.b_frame for item in arrivals),
        keyframes=measures.keyframes(arrivals, waited_s if live else None),
        last=_pixels(last),
    )


def _arrival(arrived_s: float, picture: Picture, *, corrupt: bool) -> Arrival:
    return Arrival(arrived_s, picture.pts_s, corrupt, picture.keyframe, picture.encoded_bytes, picture.b_frame)


def _damage(picture: Picture) -> str | None:
    """Its fault, by the reader that a worker uses; None: it can be inspected."""
    if picture.corrupt:
        return picture.damage
    try:
        if picture.jpeg is not None and picture.bgr is not None:
            picture.bgr()
    except DamagedPictureError as error:
        return str(error)
    return None


def _pixels(picture: Picture | None) -> Bgr | None:
    try:
        return picture.bgr() if picture is not None and picture.bgr is not None else None
    except DamagedPictureError:
        return None


class _TooLateError(Exception):
    """The time is over, and the camera still waits for something."""


class _Pictures:
    """What comes from a source, until the time for it is over."""

    def __init__(self, source: FrameSource, clock: Clock, waits: Callable[[str], object]) -> None:
        self._source = source
        self._clock = clock
        self._waits = waits
        self._ends_s = 0.0

    def pictures(self, seconds: float, patience_s: float) -> Iterator[tuple[float, Picture]]:
        """Each picture with its arrival, in seconds after the first one's; see `probe`."""
        began_s = self._clock.monotonic()
        picture = self._first(patience_s)
        of_file = self._source.info.clock == "file"
        began_s = began_s if of_file else self._clock.monotonic()
        self._ends_s = began_s + seconds
        media = MediaTime(self._source.info.fps)
        while picture is not None:
            yield self._clock.monotonic() - began_s, picture
            over = of_file and media.at(picture.pts_s) >= seconds
            picture = None if over or self._clock.monotonic() >= self._ends_s else self._next()

    def _first(self, patience_s: float) -> Picture | None:
        self._ends_s = self._clock.monotonic() + patience_s
        try:
            return next_picture(self._source, self._hear)
        except _TooLateError as error:
            raise SourceError(f"no picture within {patience_s:g} s (keyframe_timeout_s): it {error}") from None

    def _next(self) -> Picture | None:
        try:
            return next_picture(self._source, self._hear)
        except _TooLateError:
            return None

    def _hear(self, what: str) -> None:
        self._waits(what)
        if self._clock.monotonic() >= self._ends_s:
            raise _TooLateError(what)
