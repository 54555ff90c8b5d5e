"""What a camera delivers, measured for a few seconds: for `andon camera test`."""

import itertools
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field

from andon.clock import Clock
from ingest.sources.source import Bgr, DamagedPictureError, FrameSource, Picture, SourceInfo
from ingest.sources.timeline import MediaTime

SETTLED_S = 0.5
"""The first pictures come in a burst, as many as the opening has read: they say nothing of the jitter."""


@dataclass(frozen=True, slots=True)
class Probe:
    info: SourceInfo
    frames: int
    corrupt: int
    fps: float
    """By its timestamps where it has them, else as it arrived."""
    jitter_ms: float | None
    """How far arrivals stray from the timestamps (standard deviation). None: a file, or too few pictures."""
    last: Bgr | None = field(repr=False)
    """BGR uint8 (H, W, 3): the last picture that is whole."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """Of each picture only this: a few seconds of pixels would be gigabytes."""

    arrived_s: float
    pts_s: float | None
    corrupt: bool


def probe(source: FrameSource, seconds: float, clock: Clock) -> Probe:
    """Read the source for so long (a file: so much of it). Blocks. Raises SourceError as `source.read` does."""
    seen: list[_Seen] = []
    last: Picture | None = None
    for arrived_s, picture in _pictures(source, seconds, clock):
        seen.append(_Seen(arrived_s, picture.pts_s, picture.corrupt))
        last = last if picture.corrupt else picture
    return Probe(
        info=source.info,
        frames=len(seen),
        corrupt=sum(item.corrupt for item in seen),
        fps=_fps(seen),
        jitter_ms=None if source.info.clock == "file" else _jitter_ms(seen),
        last=_pixels(last),
    )


def _pixels(picture: Picture | None) -> Bgr | None:
    try:
        return picture.bgr() if picture is not None and picture.bgr is not None else None
    except DamagedPictureError:
        return None


def _pictures(source: FrameSource, seconds: float, clock: Clock) -> Iterator[tuple[float, Picture]]:
    began_s = clock.monotonic()
    media = MediaTime(source.info.fps)
    while clock.monotonic() - began_s < seconds and (picture := source.read()) is not None:
        yield clock.monotonic() - began_s, picture
        if source.info.clock == "file" and media.at(picture.pts_s) >= seconds:
            return


def _fps(seen: list[_Seen]) -> float:
    times = [item.pts_s for item in seen if item.pts_s is not None]
    times = times if len(times) > 1 else [item.arrived_s for item in seen]
    return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 and times[-1] > times[0] else 0.0


def _jitter_ms(seen: list[_Seen]) -> float | None:
    settled = [item for item in seen if item.arrived_s >= SETTLED_S]
    if len(settled) < 3:
        return None
    late = [item.arrived_s - item.pts_s for item in settled if item.pts_s is not None]
    if len(late) == len(settled):
        return 1000 * statistics.stdev(late)
    arrivals = [item.arrived_s for item in settled]
    return 1000 * statistics.stdev(after - before for before, after in itertools.pairwise(arrivals))
