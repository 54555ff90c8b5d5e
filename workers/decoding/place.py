"""Where video is decoded: on the host's cores or on a card. Each camera has a decoder and makes its own pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from av.video.frame import VideoFrame

from andon.messages import Frame
from andon.pictures.picture import DecodedPicture, Pixels
from andon.video.decoder import GroupDecoder, UnitDecoder
from workers.decoding.pictures import Look, VideoPictures

OpenDecoder = Callable[[str], UnitDecoder]
"""For a content type. Raises PoisonError: it has no decoder."""


class PictureMaker(Protocol):
    """One camera's, on one thread at a time."""

    def of(self, decoded: VideoFrame, frame: Frame, look: Look) -> DecodedPicture[Pixels]:
        """The picture that is inspected. Raises PoisonError: the camera's roi lies outside its picture."""
        ...


@dataclass(frozen=True, slots=True)
class DecodingPlace:
    open_decoder: OpenDecoder = GroupDecoder
    pictures: Callable[[], PictureMaker] = VideoPictures


HOST = DecodingPlace()
