"""One session's video: records in the order of the log go in, frames in the order of presentation come out.

A frame whose references are not proven comes out as `unproven`, without a picture; see `andon.video.proof`. A decoder
calls a picture damaged only when it hands it out, after B-frames that refer to it: so no picture comes out before all
that stand before it in the stream.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from av.video.frame import VideoFrame

from andon.clock import Clock
from andon.errors import PoisonError
from andon.messages import Frame, ImageHealth
from andon.pictures.picture import DecodedPicture, PictureLimits, Pixels
from andon.video.access_unit import AccessUnit
from andon.video.decoder import DecodedUnit, GroupDecoder, UnitDecoder
from andon.video.h264 import H264
from andon.video.h265 import H265
from andon.video.proof import ProofOfReferences
from andon.video.units import MalformedError
from workers.decoding.health import VideoHealth
from workers.decoding.pictures import VideoPictures
from workers.decoding.place import OpenDecoder, PictureMaker

UNITS = 1 << 14
"""Numbers of access units in one record: more than a record may hold."""
MOST_HELD = 40
"""Frames that a decoder may hold back: more than twice what a stream may reorder."""
DAMAGED = "the decoder made a part of it up"


@dataclass(frozen=True, slots=True, eq=False)
class VideoRecord:
    """A record that holds a frame of video."""

    frame: Frame
    offset: int
    delivery: Any = None
    """The caller's."""
    stale: bool = False
    """It is decoded for the frames after it, and not inspected."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a frame: it has a picture, or an error, or neither if it is stale."""

    record: VideoRecord
    picture: DecodedPicture[Pixels] | None = field(default=None, repr=False)
    error: PoisonError | None = None
    start: int | None = None
    """Offset of the record with which decoding must begin to get its picture. None: there is no picture."""
    health: ImageHealth | None = None
    state: ImageHealth | None = None
    """The fault of the camera's pictures by now. It does not flap, as a single picture's health does."""
    later: tuple[int, ...] = ()
    """Lower numbers of frames that come out after it."""
    joined: bool = False
    """It came before the first keyframe that was read."""


@dataclass(slots=True)
class _PendingUnit:
    record: VideoRecord
    start: int
    decode_s: float
    frame: VideoFrame | None = None


class CameraStream:
    """Of one session. On one thread at a time; each call blocks for as long as the decoding takes."""

    def __init__(
        self,
        limits: PictureLimits,
        clock: Clock,
        open_decoder: OpenDecoder = GroupDecoder,
        pictures: PictureMaker | None = None,
        health: VideoHealth | None = None,
    ) -> None:
        """`pictures`: None makes them on the host."""
        self.health = health or VideoHealth()
        self._limits = limits
        self._clock = clock
        self._open = open_decoder
        self._pictures: PictureMaker = pictures or VideoPictures()
        self._content_type = ""
        self._decoder: UnitDecoder | None = None
        self._reader: H264 | H265 = H264()
        self._proof = ProofOfReferences()
        self._prefix = b""
        """Units without a picture, which go with the next one."""
        self._entered = False
        """A keyframe was read."""
        self._next: int | None = None
        """The number of the next frame. None: any."""
        self._awaited: dict[int, _PendingUnit] = {}
        """Proven frames whose pictures have not come out of the decoder, by number of their unit."""
        self._ready: list[tuple[int, _PendingUnit]] = []
        """Pictures that came out, in the order of presentation, and wait for others that stand before them."""

    @property
    def start(self) -> int | None:
        """Offset of the record with which decoding must begin to go on. None: at the next keyframe."""
        return None if self._proof.start is None else self._proof.start // UNITS

    @property
    def held(self) -> list[tuple[int, int]]:
        """(start, offset) of the records whose frames have not come out."""
        waiting = [*self._awaited.values(), *(item for _, item in self._ready)]
        return [(item.start, item.record.offset) for item in waiting]

    def take(self, record: VideoRecord) -> list[Outcome]:
        """The next record. The frames that come out with it may be earlier ones."""
        frame, expected, out = record.frame, self._next, list[Outcome]()
        if expected is not None and frame.seq < expected:
            return [_refused(record, _unproven("it came twice"))]
        if expected is not None and frame.seq != expected:
            out += self.lose(f"the numbers from {expected} to {frame.seq - 1} are missing")
        self._next = frame.seq + 1
        try:
            units = list(_units(frame, self._limits))
        except PoisonError as error:
            return [*out, *self.lose(str(error)), _refused(record, error)]
        if frame.content_type != self._content_type:
            out += self._begin_stream(frame.content_type)
        for index, unit in enumerate(units):
            out += self._unit(record, unit, record.offset * UNITS + index, last=index == len(units) - 1)
        return out + (self._overflow() if len(self._awaited) + len(self._ready) > MOST_HELD else [])

    def lose(self, why: str) -> list[Outcome]:
        """Something is missing before the next record. What has come before it comes out."""
        out = self._flush()
        self._proof.lose(why)
        return out

    def refuse(self, records: Sequence[VideoRecord], error: PoisonError) -> list[Outcome]:
        """None of these can be decoded, nor what is under way."""
        under_way = [*self._awaited.values(), *(item for _, item in self._ready)]
        self._awaited.clear()
        self._ready.clear()
        self.close(str(error))
        known = {item.record.offset for item in under_way}
        if records:
            self._next = records[-1].frame.seq + 1
        return [_refused(item.record, error) for item in under_way] + [
            _refused(record, error) for record in records if record.offset not in known
        ]

    def close(self, why: str = "its decoder was closed for another camera's") -> None:
        """End the decoder, which holds nothing back. What comes next goes on at a keyframe."""
        self._content_type, self._decoder = "", None
        self._proof.lose(why)

    def _flush(self) -> list[Outcome]:
        """What the decoder holds back comes out. It must begin anew after this."""
        decoded: list[DecodedUnit] = []
        if self._decoder is not None:
            with suppress(PoisonError):
                decoded = self._decoder.flush()
        out: list[Outcome] = []
        for picture in decoded:
            out += self._came(picture)
        left, self._awaited = list(self._awaited.values()), {}
        out += self._release()
        return out + [_refused(item.record, PoisonError("undecodable", "the decoder gave no picture")) for item in left]

    def _begin_stream(self, content_type: str) -> list[Outcome]:
        out = self._flush()
        self._decoder = self._open(content_type)
        self._reader = H264() if content_type == "video/h264" else H265()
        self._proof, self._content_type, self._prefix = ProofOfReferences(), content_type, b""
        return out

    def _unit(self, record: VideoRecord, data: bytes, number: int, *, last: bool) -> list[Outcome]:
        try:
            unit = self._reader.read(data)
        except MalformedError as error:
            out = self.lose(str(error))
            return [*out, self._unproven(record, str(error))] if last else out
        if not unit.slices:
            self._prefix += data
            return [_refused(record, PoisonError("undecodable", "there is no picture in it"))] if last else []
        if beyond := self._beyond(unit):
            out = self.lose(str(beyond))
            return [*out, _refused(record, beyond)] if last else out
        return self._picture(record, unit, data, number, last=last)

    def _beyond(self, unit: AccessUnit) -> PoisonError | None:
        """Why nobody decodes pictures of this layout here."""
        layout = unit.layout
        if layout is None:
            return None
        if layout.width * layout.height > self._limits.max_pixels:
            size = f"{layout.width}x{layout.height} pixels, worker.max_frame_pixels is {self._limits.max_pixels}"
            return PoisonError("too_large", size)
        if layout.interlaced:
            return PoisonError(
                "undecodable", "interlaced video is decoded by ingest: set the camera's encoding to jpeg"
            )
        return None

    def _picture(self, record: VideoRecord, unit: AccessUnit, data: bytes, number: int, *, last: bool) -> list[Outcome]:
        proof = self._proof.take(unit, number, record.frame.gap or "")
        out = self._flush() if proof.restart or (self._proof.start is None and self._awaited) else []
        began_s, payload, self._prefix = self._clock.monotonic(), self._prefix + data, b""
        item = _PendingUnit(record, proof.start // UNITS, 0.0)
        self._entered = self._entered or proof.restart
        if proof.proven and last:
            self._awaited[number] = item
        try:
            decoded = self._decoder.feed(payload, number) if proof.fed and self._decoder is not None else []
        except PoisonError as error:
            refused = self._awaited.pop(number, None)
            out += self.lose(str(error))
            return [*out, _refused(record, error if refused else _unproven(str(error)))] if last else out
        item.decode_s = max(0.0, self._clock.monotonic() - began_s)
        for picture in decoded:
            out += self._came(picture)
            if picture.damaged:
                self._proof.lose(DAMAGED)
        return out if proof.proven or not last else [*out, self._unproven(record, proof.why_not)]

    def _unproven(self, record: VideoRecord, why: str) -> Outcome:
        return Outcome(record, error=_unproven(why), later=self._later(record), joined=not self._entered)

    def _came(self, picture: DecodedUnit) -> list[Outcome]:
        """It came out of the decoder, the next one in the order of presentation."""
        item = self._awaited.pop(picture.number, None)
        if picture.damaged:
            return self._damaged(picture.number, item)
        if item is None:
            return []
        item.frame = picture.frame
        self._ready.append((picture.number, item))
        return self._release()

    def _damaged(self, number: int, item: _PendingUnit | None) -> list[Outcome]:
        """All that stands after it in the stream may refer to it."""
        spoiled = [waiting for at, waiting in [*self._ready, *self._awaited.items()] if at > number]
        self._ready = [(at, waiting) for at, waiting in self._ready if at < number]
        self._awaited = {at: waiting for at, waiting in self._awaited.items() if at < number}
        out = self._release()
        out += [] if item is None else [_refused(item.record, PoisonError("undecodable", DAMAGED))]
        return out + [_refused(waiting.record, _unproven("a picture before it is damaged")) for waiting in spoiled]

    def _release(self) -> list[Outcome]:
        first = min(self._awaited, default=None)
        out: list[Outcome] = []
        while self._ready and (first is None or self._ready[0][0] < first):
            _, item = self._ready.pop(0)
            out.append(self._outcome(item))
        return out

    def _outcome(self, item: _PendingUnit) -> Outcome:
        record, decoded = item.record, item.frame
        later, began_s = self._later(record), self._clock.monotonic()
        if record.stale or decoded is None:
            return Outcome(record, start=item.start, later=later)
        image_health: list[ImageHealth | None] = [None]

        def look(pixels: Pixels) -> None:
            image_health[0] = self.health.saw(record.frame, pixels)

        try:
            picture = self._pictures.of(decoded, record.frame, look)
        except PoisonError as error:
            return Outcome(record, error=error, later=later)
        took_s = item.decode_s + max(0.0, self._clock.monotonic() - began_s)
        timed = replace(picture, decode_s=took_s)
        return Outcome(record, timed, None, item.start, image_health[0], self.health.camera, later)

    def _later(self, record: VideoRecord) -> tuple[int, ...]:
        waiting = [*(item for _, item in self._ready), *self._awaited.values()]
        return tuple(sorted({item.record.frame.seq for item in waiting if item.record.frame.seq < record.frame.seq}))

    def _overflow(self) -> list[Outcome]:
        return self.lose("the decoder left a picture out")


def _units(frame: Frame, limits: PictureLimits) -> Iterator[bytes]:
    """The access units of a record. Raises PoisonError."""
    if frame.too_large is not None:
        raise PoisonError("too_large", frame.too_large)
    if frame.corrupt:
        raise PoisonError("undecodable", frame.damage or "the camera's decoder called it corrupt")
    if len(frame.payload) > limits.max_bytes:
        raise PoisonError("too_large", f"{len(frame.payload)} bytes, worker.max_frame_bytes is {limits.max_bytes}")
    lengths = frame.units or (len(frame.payload),)
    if sum(lengths) != len(frame.payload) or not frame.payload:
        raise PoisonError("undecodable", f"{len(frame.payload)} bytes, and access units of {sum(lengths)}")
    at = 0
    for length in lengths:
        yield frame.payload[at : at + length]
        at += length


def _unproven(why: str) -> PoisonError:
    return PoisonError("unproven", why)


def _refused(record: VideoRecord, error: PoisonError) -> Outcome:
    return Outcome(record, error=error)
