"""Decodes video on a GPU (NVDEC) and leaves its pictures there, where the model reads them: none comes to the host.

What the card does not take goes on in software, as if there were no card: a stream that it can't decode, pictures of a
layout that is not converted on it, and all that comes when its memory is short.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from av.codec.hwaccel import HWAccel
from av.video.frame import VideoFrame

from andon.errors import PoisonError
from andon.messages import Frame
from andon.pictures.picture import DecodedPicture, Pixels
from andon.video.decoder import DecodedUnit, GroupDecoder, UnitDecoder
from andon.video.geometry import PicturePlan, plan
from workers.decoding.context import REFUSALS
from workers.decoding.pictures import Look, VideoPictures
from workers.decoding.place import DecodingPlace, OpenDecoder
from workers.detector import OutOfMemoryError
from workers.runtimes.memory import card_works, free_share, torch_memory
from workers.runtimes.nv12 import NotNv12Error, Nv12, nv12, part_of
from workers.runtimes.tensors import shrunk

RESERVE = 1 / 8
"""With less of its memory free, a card gets no further decoder: the model's batches need room, too."""
ON_CARD = ("nv12", "p010le", "p016le")
"""What decoders on cards give, and those in software never."""


@dataclass(frozen=True, slots=True)
class Card:
    """One GPU, shared by the decoders' threads."""

    number: str
    open_decoder: OpenDecoder
    """On the card. Raises one of REFUSALS."""
    free: Callable[[], float]
    """The part of its memory that is free."""
    say: Callable[[str], None]
    """Reports why something is decoded in software. Called on the decoders' threads, once for each reason."""
    reasons: set[str] = field(default_factory=set)

    def report(self, reason: str) -> None:
        if reason not in self.reasons:
            self.reasons.add(reason)
            self.say(reason)

    @property
    def place(self) -> DecodingPlace:
        return DecodingPlace(lambda content_type: CardDecoder(content_type, self), lambda: CardPictures(self))


def gpu(number: str, say: Callable[[str], None]) -> Card:
    return Card(number, lambda content_type: on_gpu(content_type, number), lambda: free_share(int(number)), say)


def on_gpu(content_type: str, number: str) -> GroupDecoder:
    """Its pictures stay on the card. A stream that the card can't decode, such as one in 4:2:2, it decodes in software
    all the same, which only its pictures show. Raises one of REFUSALS."""
    hardware = HWAccel("cuda", device=number, allow_software_fallback=True, is_hw_owned=True)
    return GroupDecoder(content_type, hardware)


def layout(frame: VideoFrame) -> str:
    """How the samples lie in memory, wherever that is."""
    return (frame.sw_format or frame.format).name


class CardDecoder:
    """A UnitDecoder for one camera: on the card while that has room and takes its stream, else in software.

    A decoder that gave way for want of room comes back to the card at a keyframe, where nothing is under way.
    """

    def __init__(self, content_type: str, card: Card) -> None:
        self._content_type = content_type
        self._card = card
        self._decoder: UnitDecoder | None = None
        self._on_card = False
        self._refused = False
        """The card has failed on the stream."""
        self._first = True
        """The next unit begins a group."""

    def feed(self, unit: bytes, number: int) -> list[DecodedUnit]:
        first, self._first = self._first, False
        if self._decoder is None:
            self._decoder = self._opened()
        try:
            decoded = self._decoder.feed(unit, number)
        except PoisonError as error:
            if not (first and self._on_card):
                raise
            return self._in_software(unit, number, str(error))
        if self._on_card and decoded and layout(decoded[0].frame) not in ON_CARD:
            frame = decoded[0].frame
            self._give_way(f"{self._content_type} in {layout(frame)} of {frame.width}x{frame.height} pixels")
        return decoded

    def flush(self) -> list[DecodedUnit]:
        self._first = True
        decoder = self._decoder
        if not self._on_card and not self._refused:
            self._decoder = None
        return [] if decoder is None else decoder.flush()

    def _opened(self) -> UnitDecoder:
        if self._refused:
            return GroupDecoder(self._content_type)
        if self._card.free() < RESERVE:
            self._card.report(f"GPU {self._card.number} has less than {RESERVE:.1%} of its memory free")
            return GroupDecoder(self._content_type)
        try:
            decoder = self._card.open_decoder(self._content_type)
        except REFUSALS as error:
            self._give_way(f"{self._content_type}: {type(error).__name__}: {error}")
            return GroupDecoder(self._content_type)
        self._on_card = True
        return decoder

    def _in_software(self, unit: bytes, number: int, why: str) -> list[DecodedUnit]:
        """The card has refused the first unit of a group. Raises PoisonError: software refuses it, too, so the unit is
        to blame, and the card goes on."""
        software = GroupDecoder(self._content_type)
        decoded = software.feed(unit, number)
        self._decoder = software
        self._give_way(why)
        return decoded

    def _give_way(self, what: str) -> None:
        self._on_card, self._refused = False, True
        self._card.report(f"GPU {self._card.number} does not decode {what}")


class CardPictures:
    """Makes one camera's pictures where they lie, on one thread at a time."""

    def __init__(self, card: Card) -> None:
        self._card = card
        self._host = VideoPictures()

    def of(self, decoded: VideoFrame, frame: Frame, look: Look) -> DecodedPicture[Pixels]:
        """Raises PoisonError: the camera's roi lies outside its picture; FatalError: the card works no more."""
        geometry = plan(decoded.width, decoded.height, frame.roi, frame.longest_side, frame.turn)
        try:
            with card_works(f"GPU {self._card.number}"), torch_memory():
                return self._picture_from(nv12(decoded), geometry, look)
        except NotNv12Error as error:
            if layout(decoded) in ON_CARD:
                self._card.report(f"{error}: GPU {self._card.number} decodes it, the rest is done in software")
        except OutOfMemoryError as error:
            self._card.report(f"GPU {self._card.number} has too little memory for a picture: {error}")
        return self._host.of(decoded, frame, look)

    def _picture_from(self, picture: Nv12, geometry: PicturePlan, look: Look) -> DecodedPicture[Pixels]:
        part = part_of(picture, geometry)
        look(part)
        if geometry.shrinks:
            part = shrunk(part, geometry.width, geometry.height)
        return DecodedPicture(part, geometry.width, geometry.height)
