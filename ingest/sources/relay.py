"""Passes a stream's access units on from its first keyframe, with what ingest knows of each."""

from collections.abc import Iterator

from av.packet import Packet
from av.video.stream import VideoStream

from andon.video.access_unit import StreamLayout
from ingest.sources.encoding import PASSED
from ingest.sources.passage import Passage, PictureUnit
from ingest.sources.rtp_losses import RtpLosses
from ingest.sources.source import EncodedPicture, Picture, SourceInfo, Video
from ingest.sources.upright import UPRIGHT

ANALYSED_S = 1.0
"""FFmpeg reads half a second of a stream before it is open (`analyzeduration`), and keeps that for its reader."""

ANALYSED_UNITS = 60
"""At most this many pictures come in that time; for streams without timestamps."""


class Relay:
    """One open stream's."""

    def __init__(self, stream: VideoStream, losses: RtpLosses | None) -> None:
        self._stream = stream
        self._passage = Passage(stream)
        self._losses = losses
        self._spoilt_at_opening = losses is not None and losses.taken() > 0
        """Something is missing in what FFmpeg has read already, nobody knows where."""
        self._opened_s: float | None = None
        self._units = 0
        self._layout: StreamLayout | None = None
        self._first_s: float | None = None
        """When the first keyframe is shown, until a picture comes that is shown after it."""
        self.changed = False
        """The picture that `read` gave last is a keyframe of another size or kind than those before, or the first."""
        self.missed = False
        """RTP packets have been found missing."""

    def read(self, packet: "Packet[VideoStream]", *, begun: bool) -> Iterator[PictureUnit]:
        """The pictures in a packet; before the first keyframe there are none. `begun`: it has come."""
        missed = 0 if self._losses is None else self._losses.taken()
        self.missed = self.missed or missed > 0
        at_s = _seconds(packet, packet.dts)
        self._opened_s = at_s if self._opened_s is None else self._opened_s
        for passed in self._passage.read(packet, missed):
            if not begun and (not passed.keyframe or self._maybe_spoilt(at_s)):
                continue
            if not begun:
                self._first_s, begun = _seconds(packet, packet.pts), True
            self.changed = passed.keyframe and passed.layout != self._layout
            self._layout = passed.layout if passed.keyframe else self._layout
            yield passed

    def picture(self, packet: "Packet[VideoStream]", passed: PictureUnit, info: SourceInfo) -> Picture:
        """The picture that `read` gave last."""
        layout, unit = passed.layout or self._layout, passed.unit
        turn = UPRIGHT if info.traits is None else info.traits.orientation or UPRIGHT
        video = Video(PASSED[info.codec], passed.keyframe, passed.gap, turn=turn.exif)
        size = (layout.width, layout.height) if layout is not None else (info.width, info.height)
        pts_s, b_frame = _seconds(packet, packet.pts), unit is not None and unit.bidirectional
        return Picture(
            pts_s,
            None,
            unit=EncodedPicture(passed.payload, *size, video=video),
            keyframe=passed.keyframe,
            encoded_bytes=len(passed.payload),
            b_frame=b_frame,
            decode_s=_seconds(packet, packet.dts),
            shown=not packet.is_discard and not self._leads(passed, pts_s),
            restarts=passed.restarts,
        )

    def _leads(self, passed: PictureUnit, pts_s: float | None) -> bool:
        """Whether it is shown before the stream's first keyframe, and made from pictures that nobody has."""
        first_s, unit = self._first_s, passed.unit
        if first_s is None or passed.keyframe or unit is None:
            return False
        leads = unit.leading != "none" or (unit.bidirectional and pts_s is not None and pts_s < first_s)
        self._first_s = first_s if leads else None
        return leads

    def _maybe_spoilt(self, at_s: float | None) -> bool:
        """Whether FFmpeg may have read it while it opened the stream, and something was missing then."""
        self._units += 1
        if at_s is None or self._opened_s is None:
            return self._spoilt_at_opening and self._units < ANALYSED_UNITS
        early = 0 <= at_s - self._opened_s < ANALYSED_S
        return self._spoilt_at_opening and early


def _seconds(packet: "Packet[VideoStream]", stamp: int | None) -> float | None:
    return None if stamp is None else float(stamp * packet.time_base)
