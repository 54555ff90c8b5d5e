"""Decoded video -> BGR pixels, by FFmpeg's own conversion, the same in ingest, workers and evidence."""

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from andon.pictures.picture import Bgr


class BgrConverter:
    """One camera's, on one thread at a time. Kept for all its pictures: building its tables takes a third of a
    conversion's time."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def convert(self, frame: VideoFrame) -> Bgr:
        """uint8 (H, W, 3) of the size of `frame`, the caller's own. 8 bits a sample, whatever the stream has."""
        converted = self._reformatter.reformat(frame, format="bgr24", threads=1)
        return np.asarray(converted.to_ndarray(), dtype=np.uint8)  # uint8 already: no copy
