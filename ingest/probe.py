"""Measures for a few seconds what a camera delivers; for `andon camera test`."""

import itertools
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from andon.clock import Clock
from ingest.sources.source import Bgr, DamagedPictureError, FrameSource, Picture, SourceInfo, next_picture
from ingest.sources.timeline import MediaTime

BURST_S = 0.5
"""Pictures of the first half second are left out of the jitter: those read at the opening come in a burst."""


@dataclass(frozen=True, slots=True)
class Probe:
    info: SourceInfo
    frames: int
    corrupt: int
    fps: float
    """By the timestamps if there are any, else by the arrivals."""
    jitter_ms: float | None
    """Standard deviation of the arrivals from the timestamps. None: a file, or too few pictures."""
    last: Bgr | None = field(repr=False)
    """BGR uint8 (H, W, 3): the last whole picture."""


@dataclass(frozen=True, slots=True)
class _Arrival:
    """All that is kept of a picture: a few seconds of pixels would be gigabytes."""

    arrived_s: float
    pts_s: float | None
    corrupt: bool


def probe(source: FrameSource, seconds: float, clock: Clock, waits: Callable[[str], object] = lambda _: None) -> Probe:
    """Read the source for `seconds` from its first picture on, of a file this much media time. Blocks.

    `waits` hears what a stream that delivers no picture yet waits for. Raises SourceError like `source.read`.
    """
    arrivals: list[_Arrival] = []
    last: Picture | None = None
    for arrived_s, picture in _pictures(source, seconds, clock, waits):
        arrivals.append(_Arrival(arrived_s, picture.pts_s, picture.corrupt))
        last = last if picture.corrupt else picture
    return Probe(
        info=source.info,
        frames=len(arrivals),
        corrupt=sum(item.corrupt for item in arrivals),
        fps=_fps(arrivals),
        jitter_ms=None if source.info.clock == "file" else _jitter_ms(arrivals),
        last=_pixels(last),
    )


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


def _fps(arrivals: list[_Arrival]) -> float:
    times = [item.pts_s for item in arrivals if item.pts_s is not None]
    times = times if len(times) > 1 else [item.arrived_s for item in arrivals]
    return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 and times[-1] > times[0] else 0.0


def _jitter_ms(arrivals: list[_Arrival]) -> float | None:
    steady = [item for item in arrivals if item.arrived_s >= BURST_S]
    if len(steady) < 3:
        return None
    late = [item.arrived_s - item.pts_s for item in steady if item.pts_s is not None]
    if len(late) == len(steady):
        return 1000 * statistics.stdev(late)
    times = [item.arrived_s for item in steady]
    return 1000 * statistics.stdev(after - before for before, after in itertools.pairwise(times))
