"""A camera's keyframe as a picture of the line: decoded alone, and cut and shrunk as the camera's settings say."""

import cv2
import numpy as np

from andon.errors import PoisonError
from andon.frame import Frame
from andon.pictures.orientation import upright
from andon.pictures.picture import Bgr
from andon.video.decoder import CODECS, GroupDecoder
from andon.video.geometry import UPRIGHT, plan
from andon.video.pixels import BgrConverter

QUALITY = 95
"""Of the JPEG that a decoded keyframe becomes; its source and its candidates see the same file."""


def is_keyframe(frame: Frame) -> bool:
    """Whether the record alone decodes to a whole picture."""
    alone = frame.units is None or len(frame.units) == 1
    return frame.content_type in CODECS and frame.keyframe and frame.gap is None and alone


def as_jpeg(frame: Frame) -> bytes | None:
    """None: it does not decode to a whole picture."""
    try:
        pixels = _pixels(frame)
    except PoisonError:
        return None
    if pixels is None:
        return None
    encoded, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return data.tobytes() if encoded else None


def _pixels(frame: Frame) -> Bgr | None:
    decoder = GroupDecoder(frame.content_type)
    decoded = [*decoder.feed(frame.payload, 0), *decoder.flush()]
    if len(decoded) != 1 or decoded[0].damaged:
        return None
    whole = BgrConverter().convert(decoded[0].frame)
    turn = frame.turn or UPRIGHT
    wanted = plan(whole.shape[1], whole.shape[0], frame.roi, frame.longest_side, turn)
    x, y, width, height = wanted.crop
    part: Bgr = upright(whole, turn)[y : y + height, x : x + width].astype(np.uint8, copy=False)
    if not wanted.shrinks:
        return part
    size = wanted.width, wanted.height
    return cv2.resize(part, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
