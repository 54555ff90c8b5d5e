"""What the arrivals of a camera's pictures say of it: rates, jitter, drift, keyframes, bitrate. Pure."""

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ingest.sources.timeline import MediaTime
from ingest.sources.traits import KEYFRAME_S

BURST_S = 0.5
"""Pictures of the first half second are left out of what arrivals say: those read at the opening come in a burst."""
JUMP_S = 1.0
DRIFT_PICTURES = 12
"""A drift is measured between the first and the last third of at least this many pictures."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """All that is kept of a picture: a few seconds of pixels would be gigabytes."""

    arrived_s: float
    """Since the first picture."""
    pts_s: float | None
    corrupt: bool
    keyframe: bool
    encoded_bytes: int = 0
    b_frame: bool = False


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
class Drift:
    """Of the camera's clock against this host's, in parts per million. Above 0: it runs fast."""

    ppm: float
    error_ppm: float
    """How far the measurement may be off: the uneven arrivals by the time between them."""
    seconds: float
    """The time between the two pictures that were compared."""


def steady(arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Those after the burst at the opening."""
    return [item for item in arrivals if item.arrived_s >= BURST_S]


def rate(times: Sequence[float]) -> float | None:
    return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 2 and times[-1] > times[0] else None


def steps_s(arrivals: Sequence[Arrival]) -> list[float]:
    """From each timestamp to the next."""
    times = [item.pts_s for item in arrivals if item.pts_s is not None]
    return [after - before for before, after in itertools.pairwise(times)]


def jumps(arrivals: Sequence[Arrival]) -> int:
    """How often the timestamps went back, or ahead by more than a second."""
    return sum(not 0 <= step_s <= JUMP_S for step_s in steps_s(arrivals))


def pace(arrivals: Sequence[Arrival]) -> float | None:
    """By the usual step of the timestamps, so that a jump is no pace."""
    steps, arrived_fps = steps_s(arrivals), rate([item.arrived_s for item in arrivals])
    return statistics.median(steps) * arrived_fps if steps and arrived_fps is not None else None


def fps(arrivals: Sequence[Arrival]) -> float:
    """By the timestamps if there are any, else by the arrivals."""
    times = [item.pts_s for item in arrivals if item.pts_s is not None]
    times = times if len(times) > 1 else [item.arrived_s for item in arrivals]
    return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 and times[-1] > times[0] else 0.0


def jitter_ms(arrivals: Sequence[Arrival]) -> float | None:
    """Standard deviation of the arrivals from the timestamps; without these, of the intervals."""
    if len(arrivals) < 3:
        return None
    late = _lateness_s(arrivals)
    if len(late) == len(arrivals):
        return 1000 * statistics.stdev(late)
    times = [item.arrived_s for item in arrivals]
    return 1000 * statistics.stdev(after - before for before, after in itertools.pairwise(times))


def drift(arrivals: Sequence[Arrival]) -> Drift | None:
    """Compare the picture that came through fastest among the first third with that among the last.

    The network only ever holds pictures up, so the fastest ones show the clocks. None: too few pictures, or timestamps
    that are missing or jump.
    """
    if len(arrivals) < DRIFT_PICTURES or len(_lateness_s(arrivals)) < len(arrivals) or jumps(arrivals):
        return None
    third = len(arrivals) // 3
    (first_s, early, early_error), (last_s, late, late_error) = _fastest(arrivals[:third]), _fastest(arrivals[-third:])
    span_s = last_s - first_s
    if span_s <= 0:
        return None
    return Drift(1e6 * (early - late) / span_s, 1e6 * (early_error + late_error) / span_s, span_s)


def _fastest(arrivals: Sequence[Arrival]) -> tuple[float, float, float]:
    """When it arrived, its lateness, and by how much a tenth of the pictures is at most later."""
    late = _lateness_s(arrivals)
    least = min(late)
    return arrivals[late.index(least)].arrived_s, least, sorted(late)[max(1, len(late) // 10)] - least


def _lateness_s(arrivals: Sequence[Arrival]) -> list[float]:
    return [item.arrived_s - item.pts_s for item in arrivals if item.pts_s is not None]


def bitrate_kbps(arrivals: Sequence[Arrival], *, live: bool) -> float | None:
    """By arrival; of a file, by its timestamps. None: the source says nothing of the size, or too few pictures."""
    media = MediaTime(None)
    times = [item.arrived_s if live else media.at(item.pts_s) for item in arrivals]
    size_bytes = sum(item.encoded_bytes for item in arrivals[1:])
    return size_bytes * 8 / 1000 / (times[-1] - times[0]) if size_bytes and times[-1] > times[0] else None


def keyframes(arrivals: Sequence[Arrival], waited_s: float | None) -> Keyframes | None:
    """By arrival; of a file, for which nobody waited (None), by its timestamps."""
    if not any(item.keyframe for item in arrivals) or all(item.keyframe for item in arrivals):
        return None
    media = MediaTime(None)
    media_s = [media.at(item.pts_s) for item in arrivals]
    times = media_s if waited_s is None else [item.arrived_s for item in arrivals]
    keys = [at_s for at_s, item in zip(times, arrivals, strict=True) if item.keyframe]
    between = max((after - before for before, after in itertools.pairwise(keys)), default=0.0)
    outside = max(waited_s or 0.0, times[-1] - keys[-1])
    return Keyframes(max(between, outside), complete=between >= outside)
