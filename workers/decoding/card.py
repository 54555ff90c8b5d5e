"""Opens a video decoder on a GPU, and one in software where there is no card, driver or decoder."""

from dataclasses import dataclass

import av
from av.codec.hwaccel import HWAccel

from andon.video.decoder import GroupDecoder

REFUSALS = (av.FFmpegError, NotImplementedError, RuntimeError)
"""What PyAV raises where a card can't decode: without a card PermissionError, whatever fallback is allowed."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A decoder that works, wherever it is."""

    decoder: GroupDecoder
    refused: str = ""
    """Why it decodes in software. Empty: the card took it."""


def open_on_card(content_type: str, card: str) -> Opened:
    """Its pictures stay on the card (`workers.runtimes.nv12`). A stream that the card can't decode, such as 4:4:4, it
    decodes in software all the same, which only its pictures show.

    `card`: the GPU's number. Raises PoisonError for an encoding that has no decoder at all.
    """
    try:
        hardware = HWAccel("cuda", device=card, allow_software_fallback=True, is_hw_owned=True)
        return Opened(GroupDecoder(content_type, hardware))
    except REFUSALS as error:
        reason = f"GPU {card} does not decode video: {type(error).__name__}: {error}"
    return Opened(GroupDecoder(content_type), reason)
