"""Frames read back from Kafka as pictures: for evidence, for the board and for labels.

A frame of video is decoded from the keyframe of its group on. A few groups stay open, so that a later frame of a group
costs the pictures in between, and not the whole group again.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO

from PIL import Image

from andon.errors import PoisonError
from andon.messages import Frame, RecordRef
from andon.stream.offsets import Partition
from sinks.channels.annotation import opened
from sinks.channels.clip_frames import keyframe_of
from sinks.channels.log import Log, LoggedFrame, camera_of, logged_of
from sinks.channels.open_group import OpenGroup
from sinks.channels.storing import StoringThread

OPEN_GROUPS = 4
"""Groups that stay open: a decoder and a picture each, about 40 MB at 1080p."""
RAW_QUALITY = 95
PICTURES = ("image/jpeg", "image/png")
"""Encodings of frames that are pictures by themselves."""
Key = tuple[str, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class FramePicture:
    """A frame that was read back."""

    frame: Frame
    decoded: Image.Image | None = None
    """Of video: RGB, upright, as the worker saw it; not to be changed. None: the payload is a JPEG or a PNG."""

    def image(self) -> Image.Image:
        """RGB, upright, the caller's own. Blocks. Raises PoisonError for a picture that can't be decoded."""
        return opened(self.frame.payload) if self.decoded is None else self.decoded.copy()

    def raw(self) -> tuple[str, bytes]:
        """Content type and bytes: the camera's own of a JPEG or PNG, of video a JPEG of high quality. Blocks."""
        if self.decoded is None:
            return self.frame.content_type, self.frame.payload
        return "image/jpeg", self.jpeg(RAW_QUALITY)

    def jpeg(self, quality: int = 90) -> bytes:
        """The camera's own bytes where they are a JPEG; else encoded. Blocks, and raises as `image` does."""
        if self.decoded is None and self.frame.content_type == "image/jpeg":
            return self.frame.payload
        out = BytesIO()
        self.image().save(out, "JPEG", quality=quality, subsampling=0)
        return out.getvalue()


class FramePictures:
    """Reads one frame of video at a time. Event loop only; it decodes on `thread`."""

    def __init__(self, log: Log, thread: StoringThread, open_groups: int = OPEN_GROUPS) -> None:
        self._log = log
        self._thread = thread
        self._most = open_groups
        self._groups: OrderedDict[Key, OpenGroup] = OrderedDict()
        """By keyframe, the one that was used last at the end."""
        self._turn = asyncio.Lock()

    async def of(self, frame_id: str, ref: RecordRef, keyframe: RecordRef | None = None) -> FramePicture | None:
        """The frame whose record is at `ref`. None: it is gone, or its group's keyframe is.

        `keyframe`: as its inspection names it; None: the frame is a picture by itself. Raises RetryableError while the
        broker is away, and PoisonError where the frame can't be decoded.
        """
        if keyframe is not None:
            async with self._turn:
                return await self._of_video(frame_id, ref, keyframe)
        logged = await self._log.frame(frame_id, ref)
        if logged is None:
            return None
        if logged.frame.content_type not in PICTURES:
            raise PoisonError("undecodable", f"no picture can be drawn from {logged.frame.content_type[:40]!r} alone")
        return FramePicture(logged.frame)

    async def at(self, ref: RecordRef) -> FramePicture | None:
        """The frame whose record is at `ref`, for who knows nothing else of it. None and raises as `of`.

        A frame of video costs a walk back through the log to its keyframe, unless its group is open.
        """
        record = await self._log.records.read(ref)
        logged = None if record is None else logged_of(record)
        if logged is None:
            return None
        if logged.frame.content_type in PICTURES:
            return FramePicture(logged.frame)
        keyframe = await keyframe_of(self._log, ref, logged.frame)
        return None if keyframe is None else await self.of(logged.frame.frame_id, ref, keyframe)

    async def _of_video(self, frame_id: str, ref: RecordRef, keyframe: RecordRef) -> FramePicture | None:
        key = (keyframe.topic, keyframe.partition, keyframe.offset)
        group = self._groups.pop(key, None)  # and back only when it is whole: this task may be cancelled
        if group is not None and group.offset >= ref.offset:
            group = None
        first = keyframe.offset if group is None else group.offset + 1
        following = await self._read(frame_id, ref, first)
        whole = following and following[-1].frame.frame_id == frame_id and following[-1].offset == ref.offset
        if not whole or (group is None and following[0].offset != keyframe.offset):
            return None
        frame = following[-1].frame
        group = OpenGroup(frame.content_type) if group is None else group
        await self._thread.run(partial(group.go_on, following))
        if not group.ended:
            self._groups[key] = group
            if len(self._groups) > self._most:
                self._groups.popitem(last=False)
        return FramePicture(frame, group.picture)

    async def _read(self, frame_id: str, ref: RecordRef, first: int) -> Sequence[LoggedFrame]:
        """The camera's frames from this offset to `ref`."""
        found = await self._log.frames(Partition(ref.topic, ref.partition), first, ref.offset, camera_of(frame_id))
        return [logged for logged in found if logged.frame.payload]
