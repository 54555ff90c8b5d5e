"""Measures for a few seconds what a camera delivers; for `andon camera test`."""

import itertools
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from andon.clock import Clock
from andon.pictures.picture import Bgr
from ingest.sources.source import DamagedPictureError, FrameSource, Picture, SourceInfo, next_picture
from ingest.sources.timeline import MediaTime
from ingest.sources.traits import KEYFRAME_S

BURST_S = 0.5
"""Pictures of the first half second are left out of the jitter: those read at the opening come in a burst."""
PACE = 0.1
"""A stream whose timestamps run faster or slower than time by more than this share is warned of."""
JUMP_S = 1.0


@dataclass(frozen=True, slots=True)
class Keyframes:
    """How often a stream can be joined."""

    longest_s: float
    """The longest time without a keyframe, the wait for the first one included."""
    complete: bool
    """Whether it lies between two keyframes. If not, the interval may be longer."""

    @property
    def rare(self) -> bool:
        return self.longest_s > KEYFRAME_S


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
    keyframes: Keyframes | None
    """None: every picture is one, or the source has none."""
    last: Bgr | None = field(repr=False)
    """BGR uint8 (H, W, 3): the last whole picture."""


@dataclass(frozen=True, slots=True)
class _Arrival:
    """All that is kept of a picture: a few seconds of pixels would be gigabytes."""

    arrived_s: float
    """Since the first picture."""
    pts_s: float | None
    corrupt: bool
    keyframe: bool


def probe(source: FrameSource, seconds: float, clock: Clock, waits: Callable[[str], object] = lambda _: None) -> Probe:
    """Read the source for `seconds` from its first picture on, of a file this much media time. Blocks.

    `waits` hears what a stream that delivers no picture yet waits for. Raises SourceError like `source.read`.
    """
    arrivals: list[_Arrival] = []
    last: Picture | None = None
    damage = ""
    opened_s = clock.monotonic()
    for arrived_s, picture in _pictures(source, seconds, clock, waits):
        wrong = _damage(picture)
        arrivals.append(_Arrival(arrived_s, picture.pts_s, wrong is not None, picture.keyframe))
        damage = wrong or damage
        last = picture if wrong is None else last
    waited_s = clock.monotonic() - opened_s - (arrivals[-1].arrived_s if arrivals else 0.0)
    live = source.info.clock != "file"
    return Probe(
        info=source.info,
        frames=len(arrivals),
        corrupt=sum(item.corrupt for item in arrivals),
        damage=damage,
        fps=_fps(arrivals),
        arrived_fps=_rate([item.arrived_s for item in _steady(arrivals)]) if live else None,
        pace=_pace(_steady(arrivals)) if live else None,
        jumps=sum(not 0 <= step_s <= JUMP_S for step_s in _steps_s(arrivals)),
        jitter_ms=_jitter_ms(arrivals) if live else None,
        keyframes=_keyframes(arrivals, waited_s if live else None),
        last=_pixels(last),
    )


def _damage(picture: Picture) -> str | None:
    """What is wrong with it, by the reader that a worker uses; None: it can be inspected."""
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


def _pictures(
    source: FrameSource, seconds: float, clock: Clock, waits: Callable[[str], object]
) -> Iterator[tuple[float, Picture]]:
    began_s = clock.monotonic()
    media = MediaTime(source.info.fps)
    picture = next_picture(source, waits)
    if source.info.clock != "file":
        began_s = clock.monotonic()
    while picture is not None:
        arrived_s = clock.monotonic() - began_s
        yield arrived_s, picture
        over = source.info.clock == "file" and media.at(picture.pts_s) >= seconds
        picture = None if over or clock.monotonic() - began_s >= seconds else next_picture(source, waits)


def _steady(arrivals: list[_Arrival]) -> list[_Arrival]:
    return [item for item in arrivals if item.arrived_s >= BURST_S]


def _rate(times: list[float]) -> float | None:
    return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 2 and times[-1] > times[0] else None


def _steps_s(arrivals: list[_Arrival]) -> list[float]:
    """From each timestamp to the next."""
    times = [item.pts_s for item in arrivals if item.pts_s is not None]
    return [after - before for before, after in itertools.pairwise(times)]


def _pace(steady: list[_Arrival]) -> float | None:
    """By the usual step of the timestamps, so that a jump is no pace."""
    steps_s, arrived_fps = _steps_s(steady), _rate([item.arrived_s for item in steady])
    return statistics.median(steps_s) * arrived_fps if steps_s and arrived_fps is not None else None


def _fps(arrivals: list[_Arrival]) -> float:
    times = [item.pts_s for item in arrivals if item.pts_s is not None]
    times = times if len(times) > 1 else [item.arrived_s for item in arrivals]
    return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 and times[-1] > times[0] else 0.0


def _jitter_ms(arrivals: list[_Arrival]) -> float | None:
    steady = _steady(arrivals)
    if len(steady) < 3:
        return None
    late = [item.arrived_s - item.pts_s for item in steady if item.pts_s is not None]
    if len(late) == len(steady):
        return 1000 * statistics.stdev(late)
    times = [item.arrived_s for item in steady]
    return 1000 * statistics.stdev(after - before for before, after in itertools.pairwise(times))


def _keyframes(arrivals: list[_Arrival], waited_s: float | None) -> Keyframes | None:
    """By arrival; of a file, for which nobody waited, by its timestamps."""
    if not any(item.keyframe for item in arrivals) or all(item.keyframe for item in arrivals):
        return None
    media = MediaTime(None)
    media_s = [media.at(item.pts_s) for item in arrivals]
    times = media_s if waited_s is None else [item.arrived_s for item in arrivals]
    keys = [at_s for at_s, item in zip(times, arrivals, strict=True) if item.keyframe]
    between = max((after - before for before, after in itertools.pairwise(keys)), default=0.0)
    outside = max(waited_s or 0.0, times[-1] - keys[-1])
    return Keyframes(max(between, outside), complete=between >= outside)
