"""Frames -> an MP4 file in memory, with its index in front, so that a browser plays it while it loads.

The camera's own bytes go into the file: nothing is decoded or encoded (`h264_of` encodes what no browser plays).
FFmpeg's muxer turns Annex B into length-prefixed NAL units, and the parameter sets into avcC or hvcC. Blocks for
milliseconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from io import BytesIO
from itertools import pairwise

import av
from av.error import FFmpegError

from andon.errors import PoisonError

TICK = Fraction(1, 90_000)
"""The unit of the file's time, in seconds."""
MOST_S = 10.0
"""Seconds for which one picture is shown at most: a longer time without frames is cut short."""
LAST_S = 0.04
"""Seconds for which the only picture of a clip is shown."""
INDEX_BYTES, INDEX_BYTES_EACH = 8_192, 48
"""Room for the index: of any file, and of each sample (size, place, time, composition offset, keyframe)."""


@dataclass(frozen=True, slots=True)
class Mp4Sample:
    """One encoded picture, in the order of decoding."""

    data: bytes = field(repr=False)
    at: datetime
    """When it is shown."""
    keyframe: bool


@dataclass(frozen=True, slots=True)
class Mp4Track:
    """What a player must know before the first sample."""

    codec: str
    """FFmpeg's name."""
    width: int
    height: int


def mp4(track: Mp4Track, samples: Sequence[Mp4Sample]) -> bytes:
    """The file with these samples, of which the first is a keyframe. Raises PoisonError for what FFmpeg can't mux."""
    out = BytesIO()
    room = INDEX_BYTES + INDEX_BYTES_EACH * len(samples)
    times = timed([sample.at for sample in samples])
    try:
        with av.open(out, "w", format="mp4", options={"moov_size": str(room)}) as container:
            stream = container.add_mux_stream(track.codec, width=track.width, height=track.height, time_base=TICK)
            for sample, time in zip(samples, times, strict=True):
                packet = av.Packet(sample.data)
                packet.stream, packet.time_base = stream, TICK
                packet.pts, packet.dts, packet.duration = time.pts, time.dts, time.duration
                packet.is_keyframe = sample.keyframe
                container.mux(packet)
    except (FFmpegError, ValueError) as error:
        raise PoisonError("undecodable", f"no MP4 can be made of it: {type(error).__name__}") from None
    return out.getvalue()


@dataclass(slots=True)
class Ticks:
    """A sample's times, in ticks from the first picture on."""

    pts: int
    dts: int = 0
    duration: int = 0


def timed(moments: Sequence[datetime]) -> list[Ticks]:
    """The times of samples that are shown at these moments, in the order of decoding.

    Moments that repeat or go back are set apart by a tick; a long time without pictures is cut short.
    """
    shown = sorted(range(len(moments)), key=lambda number: (moments[number], number))
    ticks = [Ticks(0) for _ in moments]
    usual = round(LAST_S / TICK)
    for earlier, later in pairwise(shown):
        step = round((moments[later] - moments[earlier]).total_seconds() / TICK)
        usual = min(max(1, step), round(MOST_S / TICK))
        ticks[later].pts = ticks[earlier].pts + usual
        ticks[earlier].duration = usual
    ticks[shown[-1]].duration = usual
    in_order = [ticks[number].pts for number in shown]
    delay = max(time - tick.pts for time, tick in zip(in_order, ticks, strict=True))  # frames that refer to later ones
    for time, tick in zip(in_order, ticks, strict=True):
        tick.dts = time - delay
    return ticks
