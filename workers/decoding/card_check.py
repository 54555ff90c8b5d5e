"""Checks a card's decoder before a worker relies on it: does it give the pixels that software gives?

A driver may be there without a decoder (a container without the capability `video`, a slice of a GPU), and a decoder
may give pixels that are wrong without a word.
"""

import base64

import numpy as np
from av.video.frame import VideoFrame

from andon.errors import PoisonError
from andon.pictures.picture import Bgr
from andon.video.decoder import GroupDecoder, UnitDecoder
from andon.video.pixels import BgrConverter
from workers.decoding.card import ON_CARD, Card, layout
from workers.decoding.context import REFUSALS
from workers.runtimes.nv12 import NotNv12Error, nv12, pixels

KEYFRAME = base64.b64decode(
    "AAAAAWdkAAysTCIUI0IAAAMAAgAAAwBkHihUIwAAAAFo6EMESyLAAAAAAWWIggr//luSEp9D1cRxDeTkdnWwdxdT9OzU9o/ZWpM+"
    "656WrU4dBlLLiqgJaDPEdQGcDm09enPGE6BehAlXt0lWek42lu1cO5wlADqfN1U7573tJtBw7hJSV65hiUzI6aPNha3ksI4d7Pgp"
    "Bc04IUuaQjtdI10b0SFrYcB6cyjayX1IKnaETzRHXm0hCYeyLk8M/XpCFCK5ANdt4kLqE2spmK6JD4WF"
)
"""160x128 pixels of H.264 with edges and slopes in all three channels, made by x264."""
NEAR = 3
"""Grey levels: FFmpeg converts with tables, a card with floating-point numbers."""


def why_not(card: Card) -> str:
    """Why the card is not to decode video, in one line. Empty: it may. Blocks for the driver's start."""
    named = f"GPU {card.number}"
    try:
        decoded = _picture(card.open_decoder("video/h264"))
        if layout(decoded) not in ON_CARD:
            return f"{named} has no video decoder for this process (a container needs the driver capability `video`)"
        ours = np.asarray(pixels(nv12(decoded), (0, 0, decoded.width, decoded.height)).cpu())
    except (*REFUSALS, NotNv12Error, PoisonError) as error:
        return f"{named} does not decode video: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
    apart = _apart(ours, BgrConverter().convert(_picture(GroupDecoder("video/h264"))))
    return f"{named} decodes other pixels than software does, up to {apart} levels apart" if apart > NEAR else ""


def _picture(decoder: UnitDecoder) -> VideoFrame:
    """Raises PoisonError: the decoder gives none."""
    for unit in [*decoder.feed(KEYFRAME, 0), *decoder.flush()]:
        return unit.frame
    raise PoisonError("undecodable", "its decoder gives no picture")


def _apart(one: Bgr, other: Bgr) -> int:
    """The largest difference, in grey levels. 255: they have different sizes."""
    return int(np.abs(one.astype(int) - other).max()) if one.shape == other.shape else 255
