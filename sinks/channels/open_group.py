"""A group of pictures that is being decoded: video frames -> pictures, as the worker saw them. Without OpenCV."""

from collections.abc import Sequence

from av.video.frame import VideoFrame
from PIL import Image

from andon.errors import PoisonError
from andon.messages import Frame
from andon.video.decoder import DecodedUnit, GroupDecoder
from andon.video.geometry import plan
from andon.video.pixels import BgrConverter
from sinks.channels.log import LoggedFrame, units_of

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By Exif's orientation."""


class OpenGroup:
    """One camera's decoder, from a keyframe on. One thread at a time; every call blocks."""

    def __init__(self, content_type: str) -> None:
        """Raises PoisonError for an encoding that has no decoder here."""
        self._decoder = GroupDecoder(content_type)
        self._converter = BgrConverter()
        self._units = 0
        self.offset = -1
        """Of the last frame's record."""
        self.picture: Image.Image | None = None
        """Of that frame."""
        self.ended = False
        """The decoder had to hand out all that it held back: it can go on with a keyframe only."""

    def go_on(self, following: Sequence[LoggedFrame]) -> None:
        """Decode the frames that follow, at first from the keyframe on, up to the last one, whose picture is wanted.

        Raises PoisonError, and the group is of no more use.
        """
        last = following[-1]
        shown = self._decoded(following)
        if shown is None or shown.damaged:
            raise PoisonError("undecodable", f"{last.frame.frame_id}: the decoder has no whole picture of it")
        self.offset, self.picture = last.offset, published(self._converter, shown.frame, last.frame)

    def _decoded(self, following: Sequence[LoggedFrame]) -> DecodedUnit | None:
        out: list[DecodedUnit] = []
        for logged in following:
            for unit in units_of(logged.frame):
                self._units += 1
                out = self._decoder.feed(unit, self._units)
        if all(unit.number != self._units for unit in out):  # it waits for pictures that are shown before it
            out, self.ended = self._decoder.flush(), True
        return next((unit for unit in out if unit.number == self._units), None)


def published(converter: BgrConverter, decoded: VideoFrame, frame: Frame) -> Image.Image:
    """RGB, turned, cropped and shrunk as the frame says. Raises PoisonError where its `roi` lies outside."""
    bgr = converter.convert(decoded)
    steps = plan(bgr.shape[1], bgr.shape[0], frame.roi, frame.longest_side, frame.turn)
    image = Image.frombuffer("RGB", bgr.shape[1::-1], bgr, "raw", "BGR", 0, 1)  # a sixth of the time of `fromarray`
    if steps.turn in _TURNS:
        image = image.transpose(_TURNS[steps.turn])
    x, y, width, height = steps.crop
    if (width, height) != image.size:
        image = image.crop((x, y, x + width, y + height))
    return image.resize((steps.width, steps.height), Image.Resampling.BOX) if steps.shrinks else image
