"""A card in the host's memory: a decoder in software whose pictures are laid out as a GPU's decoder leaves them."""

from collections.abc import Callable

import numpy as np
from av.video.frame import VideoFrame

from andon.video.decoder import DecodedUnit, GroupDecoder
from workers.decoding.card import Card

NEAR = 3
"""Grey levels: FFmpeg computes with tables, OpenCV with fixed-point numbers, a card with floating-point ones."""
LAYOUTS = {"yuv420p": "nv12", "yuvj420p": "nv12", "yuv420p10le": "p010le"}
"""What NVDEC gives, by what software gives. It decodes nothing else."""


class DecoderInMemory:
    """A UnitDecoder. A stream that a card can't decode it decodes in software, as FFmpeg does then."""

    def __init__(self, content_type: str, spoil: int = 0) -> None:
        """`spoil`: levels by which its luma is wrong."""
        self._decoder = GroupDecoder(content_type)
        self._spoil = spoil

    def feed(self, unit: bytes, number: int) -> list[DecodedUnit]:
        return [self._laid_out(each) for each in self._decoder.feed(unit, number)]

    def flush(self) -> list[DecodedUnit]:
        return [self._laid_out(each) for each in self._decoder.flush()]

    def _laid_out(self, decoded: DecodedUnit) -> DecodedUnit:
        layout = LAYOUTS.get(decoded.frame.format.name)
        if layout is None:
            return decoded
        frame = interleaved(decoded.frame, layout)
        if self._spoil:
            luma = frame.planes[0]
            luma.update((np.frombuffer(bytes(luma), np.uint8) ^ self._spoil).tobytes())
        return DecodedUnit(decoded.number, frame, decoded.damaged)


def interleaved(frame: VideoFrame, layout: str = "nv12") -> VideoFrame:
    """The same samples, laid out as a card lays them out."""
    result = frame.reformat(format=layout)
    result.colorspace, result.color_range = frame.colorspace, frame.color_range
    return result


def card_in_memory(
    *, spoil: int = 0, free: Callable[[], float] = lambda: 1.0, say: Callable[[str], None] = lambda _: None
) -> Card:
    return Card("0", lambda content_type: DecoderInMemory(content_type, spoil), free, say)
