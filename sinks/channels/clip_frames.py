"""Reads the frames of a clip back from Kafka: from a picture that can be decoded by itself, before the clip's begin,
to its end.

No index leads from a time to an offset on every broker, so the log is walked back from a known frame, in a bounded
number of steps. A camera's records lie between those of others, so a step is as long as its rhythm in the log says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from andon.messages import Frame, RecordRef
from andon.stream.offsets import Partition
from sinks.channels.log import Log, LoggedFrame

STEPS = 12
"""Steps back at most."""
FIRST_STEP, MOST_STEP = 64, 8192
"""Records in a step, those of other cameras included."""
ROOM = 1.2
"""A step reaches this much further back than the rhythm says."""


@dataclass(frozen=True, slots=True)
class Window:
    """The time that a clip shows."""

    begin: datetime
    end: datetime

    @classmethod
    def around(cls, at: datetime, before_s: float, after_s: float) -> "Window":
        return cls(at - timedelta(seconds=before_s), at + timedelta(seconds=after_s))


async def frames_of(log: Log, at: RecordRef, frame: Frame, window: Window) -> Sequence[Frame]:
    """The frames of one clip in the order of the log: all of one session, the first one decodable by itself.

    `frame` was read at `at`. Empty: retention has taken the start of its group. Raises as `Log.frames`.
    """
    before = await _back(log, at, frame, window.begin)
    starts = [number for number, logged in enumerate(before) if logged.starts]
    if not starts:
        return ()
    early = [number for number in starts if before[number].frame.captured_at <= window.begin]
    first = early[-1] if early else starts[0]
    after = await _forward(log, at, frame, window.end)
    return [logged.frame for logged in [*before[first:], *after]]


async def keyframe_of(log: Log, at: RecordRef, frame: Frame) -> RecordRef | None:
    """The record with which decoding of `frame`, which was read at `at`, begins. None: retention has taken it."""
    before = await _back(log, at, frame, frame.captured_at)
    starts = [logged.offset for logged in before if logged.starts]
    return at.model_copy(update={"offset": starts[-1]}) if starts else None


async def _back(log: Log, at: RecordRef, frame: Frame, begin: datetime) -> list[LoggedFrame]:
    """The frames up to `frame`, which is the last; from `begin` on, and as much before it as a decoder needs."""
    found, low = [LoggedFrame(at.offset, frame)], at.offset
    for _ in range(STEPS):
        if low <= 0 or any(logged.starts and logged.frame.captured_at <= begin for logged in found):
            break
        first = max(0, low - _step(found, begin, at.offset - low))
        there = await log.frames(Partition(at.topic, at.partition), first, low - 1, frame.camera_id)
        same, ended = _same_session(list(reversed(there)), frame.session)
        found = [*reversed(same), *found]
        low = first
        if ended:
            break
    return found


async def _forward(log: Log, at: RecordRef, frame: Frame, end: datetime) -> list[LoggedFrame]:
    """The frames after `frame`, up to `end` or to the end that the log has now."""

    def over(logged: LoggedFrame) -> bool:
        return logged.frame.session != frame.session or logged.frame.captured_at > end

    following = await log.frames(Partition(at.topic, at.partition), at.offset + 1, None, frame.camera_id, over)
    if following and over(following[-1]):
        following.pop()
    return _same_session(following, frame.session)[0]


def _step(found: Sequence[LoggedFrame], begin: datetime, walked: int) -> int:
    """How many records to step back: by the share of the way that the `walked` ones have brought us."""
    now, oldest = found[-1].frame.captured_at, found[0].frame.captured_at
    if oldest >= now:
        return min(MOST_STEP, max(FIRST_STEP, walked))
    rate = walked / (now - oldest).total_seconds()
    missing_s = max(1.0, (oldest - begin).total_seconds())  # 1: to the keyframe before
    return min(MOST_STEP, max(FIRST_STEP, ceil(rate * missing_s * ROOM)))


def _same_session(frames: Sequence[LoggedFrame], session: str) -> tuple[list[LoggedFrame], bool]:
    """The frames of this session, until a frame of another one; whether there was one."""
    same: list[LoggedFrame] = []
    for logged in frames:
        if not logged.frame.payload:
            continue
        if logged.frame.session != session:
            return same, True
        same.append(logged)
    return same, False
