"""Decoded video -> the picture that is inspected: upright, cropped and shrunk as the camera's settings ask."""

from collections.abc import Callable

import cv2
import numpy as np
from av.video.frame import VideoFrame

from andon.messages import Frame
from andon.pictures.orientation import upright
from andon.pictures.picture import Bgr, DecodedPicture, Pixels
from andon.video.geometry import plan
from andon.video.pixels import BgrConverter

Look = Callable[[Pixels], None]
"""Sees the part that is inspected before it is shrunk."""


class VideoPictures:
    """One camera's, on one thread at a time. The picture may still lie on a card."""

    def __init__(self) -> None:
        self._converter = BgrConverter()

    def of(self, decoded: VideoFrame, frame: Frame, look: Look) -> DecodedPicture[Bgr]:
        """Raises PoisonError: the camera's roi lies outside its picture."""
        geometry = plan(decoded.width, decoded.height, frame.roi, frame.longest_side, frame.turn)
        bgr = np.asarray(upright(self._converter.convert(decoded), geometry.turn), np.uint8)
        x, y, width, height = geometry.crop
        part = bgr[y : y + height, x : x + width]
        look(part)
        if geometry.shrinks:
            small = cv2.resize(part, (geometry.width, geometry.height), interpolation=cv2.INTER_AREA)
            part = np.asarray(small, np.uint8)
        return DecodedPicture(part, geometry.width, geometry.height)
