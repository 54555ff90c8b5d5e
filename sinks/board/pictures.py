"""Pictures of frames, read back from Kafka by reference: once for everybody who looks, and only if somebody does.

A JPEG goes to the browser as the camera's frame holds it: nothing is decoded or encoded. A frame of video is decoded
from its keyframe on, and goes as a JPEG. What is marked on it, the page draws over it. Pictures are kept within a bound
in bytes, the last used ones.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Protocol

from andon.errors import PoisonError, RetryableError
from andon.messages import RecordRef
from sinks.channels.frame_pictures import FramePicture, FramePictures
from sinks.channels.log import Log, Ranges, Records
from sinks.channels.storing import StoringThread

KEPT_BYTES = 32_000_000
"""Of pictures in memory. 32 MB: the newest picture of 100 cameras at 300 KB."""
WAITING = 64
"""Pictures that are being read. The broker gives them one after the other, so more would only wait longer."""
Key = tuple[str, int, int]


class FrameReader(Records, Ranges, Protocol):
    """Reads frames back from Kafka."""


@dataclass(frozen=True, slots=True)
class BrowserPicture:
    """An encoded picture, as browsers show it."""

    content_type: str
    payload: bytes = field(repr=False)
    frame_id: str


class NoPictureError(Exception):
    """There is no picture to show; the text says why, in one line."""

    def __init__(self, why: str, *, later: bool) -> None:
        """`later`: asking again may help."""
        super().__init__(why)
        self.why = why
        self.later = later


class BoardPictures:
    """Event loop only. A thread of its own decodes; `close` ends it."""

    def __init__(self, records: FrameReader, topics: frozenset[str], kept_bytes: int = KEPT_BYTES) -> None:
        """`topics`: those that hold frames; a reference into any other one is refused."""
        self._thread = StoringThread("pictures")
        self._frames = FramePictures(Log(records, records), self._thread)
        self._topics = topics
        self._most_bytes = kept_bytes
        self._kept: OrderedDict[Key, BrowserPicture] = OrderedDict()
        self._bytes = 0
        self._under_way: dict[Key, asyncio.Task[BrowserPicture]] = {}
        self.reads = 0
        """Records that were asked for."""

    def close(self) -> None:
        self._thread.close()

    async def of(self, ref: RecordRef) -> BrowserPicture:
        """The picture in the record at `ref`. Raises NoPictureError."""
        key = (ref.topic, ref.partition, ref.offset)
        if ref.topic not in self._topics:
            raise NoPictureError(f"{ref.topic} is no topic of frames", later=False)
        if (kept := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
            return kept
        reading = self._under_way.get(key)
        if reading is None:
            if len(self._under_way) >= WAITING:
                raise NoPictureError("too many pictures are being read", later=True)
            reading = asyncio.create_task(self._read(key, ref), name=f"board.picture {ref.topic}")
            self._under_way[key] = reading
            reading.add_done_callback(lambda task: self._done(key, task))
        return await asyncio.shield(reading)  # others may wait for it when this viewer has gone

    def _done(self, key: Key, task: asyncio.Task[BrowserPicture]) -> None:
        del self._under_way[key]
        if not task.cancelled():
            task.exception()  # whoever waited has it; if all of them have gone, nobody asks

    async def _read(self, key: Key, ref: RecordRef) -> BrowserPicture:
        self.reads += 1
        try:
            found = await self._frames.at(ref)
            if found is None:
                raise NoPictureError("Kafka no longer holds this frame", later=False)
            picture = await self._encoded(found)
        except RetryableError as error:
            raise NoPictureError(f"the broker does not answer: {error}", later=True) from None
        except PoisonError as error:
            raise NoPictureError(f"no picture can be shown: {error}", later=False) from None
        self._keep(key, picture)
        return picture

    async def _encoded(self, found: FramePicture) -> BrowserPicture:
        if not found.frame.payload:
            raise NoPictureError("this frame came without its picture", later=False)
        if found.decoded is None:
            return BrowserPicture(*found.raw(), found.frame.frame_id)
        return BrowserPicture("image/jpeg", await self._thread.run(found.jpeg), found.frame.frame_id)

    def _keep(self, key: Key, picture: BrowserPicture) -> None:
        self._kept[key] = picture
        self._bytes += len(picture.payload)
        while self._bytes > self._most_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest.payload)
