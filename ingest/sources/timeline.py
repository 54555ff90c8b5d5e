"""Finds out when a picture was taken: the stream's own time, made continuous and placed on the host's clock (pure)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from andon.clock import Clock
from andon.messages import ClockSource
from ingest.sources.pace import Pace

USUAL_FPS = 25.0
"""Assumed where neither the stream's header nor its timestamps give a rate."""
PAUSE_S, PAUSE_PICTURES = 10.0, 100
"""A file has a pause where its timestamps leap ahead by more than both: seconds, and the time of that many pictures."""
AHEAD_S = 1.0
"""Timestamps that are ahead of the host's clock by more than this have jumped."""


SET = timedelta(seconds=0.5)
"""A clock that moves by more against the monotonic one has been put right."""


@dataclass(frozen=True, slots=True)
class Stamp:
    captured_at: datetime
    clock: ClockSource
    media_time_s: float | None


class MediaTime:
    """A stream's timestamps made continuous: starts at 0 and goes forward, whatever the stream's own numbers do."""

    def __init__(self, fps: float | None) -> None:
        self._interval_s = 1 / (fps or USUAL_FPS)
        self._last_pts_s: float | None = None
        self._media_s: float | None = None

    def at(self, pts_s: float | None, most_s: float | None = None) -> float:
        """The media time of the next picture. A jump back (a loop's new round, a clock that was set), a jump beyond
        `most_s`, and a picture without a timestamp count as one picture's interval."""
        media_s = self._next(pts_s)
        if most_s is not None and media_s > most_s and self._media_s is not None:
            media_s = self._media_s + self._interval_s
        self._last_pts_s, self._media_s = pts_s, media_s
        return media_s

    def _next(self, pts_s: float | None) -> float:
        if self._media_s is None:
            return 0.0
        if pts_s is None or self._last_pts_s is None or pts_s <= self._last_pts_s:
            return self._media_s + self._interval_s
        return self._media_s + pts_s - self._last_pts_s


class FileTimeline:
    """Paced, a picture's time is the session's start and its timestamp; played fast, it is the host's time.

    The start moves along where the clock is put right while the file plays. A recording may have timestamps that jump:
    nobody waits for hours until the next picture is due.
    """

    def __init__(self, fps: float | None, *, paced: bool) -> None:
        self._media = MediaTime(fps)
        self._longest_s = max(PAUSE_S, PAUSE_PICTURES / (fps or USUAL_FPS))
        self._media_s: float | None = None
        self._paced = paced
        self._start: datetime | None = None
        self._start_s = 0.0

    def place(self, pts_s: float | None, clock: Clock) -> Stamp:
        media_s, now, now_s = self._media.at(pts_s, self._most_s()), clock.now(), clock.monotonic()
        self._media_s = media_s
        if self._start is None:
            self._start, self._start_s = now, now_s
        start = now - timedelta(seconds=now_s - self._start_s)
        if abs(start - self._start) >= SET:
            self._start = start
        return Stamp(self._start + timedelta(seconds=media_s) if self._paced else now, "file", media_s)

    def _most_s(self) -> float | None:
        return None if self._media_s is None else self._media_s + self._longest_s


class HostTimeline:
    """The camera gives no time: the host's clock at arrival counts."""

    def place(self, pts_s: float | None, clock: Clock) -> Stamp:
        return Stamp(clock.now(), "host", None)


class CameraTimeline:
    """The camera's timestamps, anchored to the arrival of the picture that came through fastest.

    So a picture that the network held up keeps the time at which it was taken, and none is of the future. How late a
    picture is, is measured by the monotonic clock: a step of the host's clock makes none late. Timestamps that don't
    keep pace with that clock are not used: the host's clock at arrival counts, for the media time, too.
    """

    def __init__(self, fps: float | None) -> None:
        self._media = MediaTime(fps)
        self._pace = Pace()
        self._anchor_s: float | None = None
        """On the monotonic clock, when the picture of media time 0 would have arrived at the fastest."""
        self._shift_s = 0.0
        """From the stream's own timeline to the media time."""

    def place(self, pts_s: float | None, clock: Clock) -> Stamp:
        at_s, now = clock.monotonic(), clock.now()  # side by side: a thread may have to wait between two calls
        stream_s = self._media.at(pts_s, self._most_s(at_s))
        self._anchor_s = at_s - stream_s if self._anchor_s is None else self._anchor_s
        late_s = at_s - self._anchor_s - stream_s - self._shift_s
        self._pace.measure(at_s, stream_s)
        slow = self._pace.trusted and self._pace.slow(at_s, late_s)
        if not self._pace.trusted:
            self._shift_s += late_s
            return Stamp(now, "host", stream_s + self._shift_s)
        if late_s < 0 or slow:
            late_s, self._anchor_s = 0.0, at_s - stream_s - self._shift_s
        return Stamp(now - timedelta(seconds=late_s), "camera", stream_s + self._shift_s)

    def _most_s(self, at_s: float) -> float | None:
        """No picture is of the future."""
        return None if self._anchor_s is None else at_s - self._anchor_s - self._shift_s + AHEAD_S


REORDERED_S = 5.0
"""A picture that is shown before one that came earlier is at most so much older: 16 pictures at 3 a second."""


class DecodingOrder:
    """Places pictures that come in the order of decoding: one that is shown before another that has come already is
    placed from that one, so the timeline underneath sees time go forward."""

    def __init__(self, line: "Timeline", fps: float | None) -> None:
        self._line = line
        self._decoded = MediaTime(fps)
        self._newest: tuple[float, Stamp] | None = None

    def place(self, pts_s: float | None, clock: Clock, *, b_frame: bool) -> Stamp:
        back_s = None if self._newest is None or pts_s is None else self._newest[0] - pts_s
        if b_frame and self._newest is not None and back_s is not None and 0 < back_s <= REORDERED_S:
            stamp = self._newest[1]
            media_s = None if stamp.media_time_s is None else max(0.0, stamp.media_time_s - back_s)
            return Stamp(stamp.captured_at - timedelta(seconds=back_s), stamp.clock, media_s)
        stamp = self._line.place(pts_s, clock)
        self._newest = None if pts_s is None else (pts_s, stamp)
        return stamp

    def order_s(self, decode_s: float | None) -> float:
        """When the picture is decoded, on a timeline that goes forward."""
        return self._decoded.at(decode_s)


Timeline = FileTimeline | HostTimeline | CameraTimeline


def timeline(clock: ClockSource, fps: float | None, *, paced: bool) -> Timeline:
    """The timeline of a source whose pictures carry this clock's time."""
    match clock:
        case "file":
            return FileTimeline(fps, paced=paced)
        case "host":
            return HostTimeline()
        case "camera":
            return CameraTimeline(fps)
