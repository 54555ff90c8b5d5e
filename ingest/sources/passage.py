"""An H.264 or H.265 stream's packets as access units that a worker can decode: nothing is decoded here.

Each comes in Annex B, with a delimiter in front, and with all parameter sets before each random access point, wherever
the camera sends them: in the stream, in access units of their own, in the description, in a file's head.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import av
from av.bitstream import BitStreamFilterContext
from av.packet import Packet
from av.video.stream import VideoStream

from andon.video import h264, h265
from andon.video.access_unit import AccessUnit, StreamLayout
from andon.video.gaps import UnitGaps
from andon.video.units import MalformedError, join, split

MOST_PENDING = 64
"""NAL units without a picture that wait for the next one; beyond it the oldest are dropped."""


@dataclass(frozen=True, slots=True)
class PictureUnit:
    """One picture's access unit."""

    payload: bytes = field(repr=False)
    unit: AccessUnit | None
    """None: it can't be read."""
    keyframe: bool
    """A decoder can start here."""
    gap: str | None
    """The gap in it or before it; None: none is known."""

    @property
    def restarts(self) -> bool:
        """Nothing behind it refers to anything before it."""
        return self.keyframe and self.unit is not None and self.unit.random_access in ("idr", "bla")

    @property
    def layout(self) -> StreamLayout | None:
        return None if self.unit is None else self.unit.layout


class Passage:
    """One open stream's. Takes its packets in their order."""

    def __init__(self, stream: VideoStream) -> None:
        self._h265 = stream.codec_context.name == "hevc"
        self._syntax = h265 if self._h265 else h264
        self._filter = BitStreamFilterContext(f"{stream.codec_context.name}_mp4toannexb", stream)
        self._reader = h265.H265() if self._h265 else h264.H264()
        self._gaps = UnitGaps()
        self._pending: list[bytes] = []
        self._suspect = ""
        """Why the next unit may be incomplete."""
        self._describe(stream.codec_context.extradata or b"")

    def read(self, packet: "Packet[VideoStream]", missed: int) -> Iterator[PictureUnit]:
        """The pictures in a packet. `missed`: RTP packets that were found missing while it was read."""
        loss = f"{missed} RTP packets are missing" if missed else ""
        # What is missing belonged to this unit or to the begin of the next one: FFmpeg hands a unit on when the next
        # one begins.
        suspect, self._suspect = loss or self._suspect, loss
        corrupt = "FFmpeg calls it corrupt" if packet.is_corrupt else ""
        copy: Packet[Any] = Packet(bytes(packet))  # the filter empties what it takes
        copy.time_base = packet.time_base
        try:
            filtered = [bytes(item) for item in self._filter.filter(copy)]
        except av.FFmpegError:  # a file's lengths of its NAL units make no sense
            filtered, corrupt = [bytes(packet)], "its NAL units can't be found"
        for payload in filtered:
            passed = self._passed(payload, suspect or corrupt)
            if passed is not None:
                yield passed

    def _passed(self, payload: bytes, damage: str) -> PictureUnit | None:
        try:
            units = [*self._pending, *split(payload)]
            unit = self._reader.read_units(units)
        except MalformedError as error:
            self._gaps.lost()
            return PictureUnit(payload, None, False, damage or str(error)) if payload else None
        if not unit.slices:
            self._pending = units[-MOST_PENDING:]
            self._suspect = self._suspect or damage
            return None
        self._pending = []
        damage = damage or ("" if unit.whole_start else "its first slice is missing")
        missing = self._gaps.before(unit)
        keyframe = unit.random_access != "none" and not damage
        return PictureUnit(self._complete(units, keyframe=keyframe), unit, keyframe, damage or missing)

    def _complete(self, units: list[bytes], *, keyframe: bool) -> bytes:
        body = [unit for unit in units if not self._syntax.is_delimiter(unit)]
        if keyframe:
            sets = [unit for _, unit in sorted(self._reader.sets.items())]  # by type: each before those that need it
            body = [*sets, *(unit for unit in body if not self._syntax.is_parameter_set(unit))]
        return join([self._syntax.DELIMITER, *body])

    def _describe(self, extradata: bytes) -> None:
        """The parameter sets of the stream's description. A file's come through the filter."""
        with suppress(MalformedError):
            for unit in split(extradata):
                with suppress(MalformedError):
                    self._reader.keep(unit)
