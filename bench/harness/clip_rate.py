"""The sample clips at another frame rate: the same packets with other timestamps, so that a load is exact."""

from fractions import Fraction
from pathlib import Path

import av


def at_rate(source: Path, target: Path, fps: float) -> Path:
    """Write `source` (constant frame rate, packets in order) to `target` so that it plays at `fps`. Returns it."""
    with av.open(str(source)) as clip, av.open(str(target), "w") as output:
        stream = clip.streams.video[0]
        assert stream.average_rate is not None
        assert stream.time_base is not None
        copy = output.add_stream_from_template(stream)
        tick = stream.time_base * stream.average_rate / Fraction(fps).limit_denominator(1000)
        for packet in clip.demux(stream):
            if packet.dts is not None:  # the empty packet at the end has none
                packet.time_base = tick
                packet.stream = copy
                output.mux(packet)
    return target
