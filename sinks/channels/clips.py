"""Stores the clip of a defect or of a rejected part: the camera's own packets around a frame, as an MP4.

An order waits in the outbox until the frames after its own are in the log (`NamedChannel.delay_s`). A camera that has
stopped by then gets a shorter clip. Where retention has taken the frames there is none, and the log says so.
"""

from collections.abc import Sequence
from functools import partial

from pydantic import ValidationError

from andon.errors import DecodeError, RetryableError
from andon.events import ClipStored, Emit
from andon.messages import Frame
from andon.process.watchdog import NO_LIMIT, TimeLimit
from andon.settings import ClipSettings
from sinks.channels.channel import SinkBusy
from sinks.channels.clip_frames import Window, frames_of
from sinks.channels.clip_making import clip
from sinks.channels.files import Files, is_safe
from sinks.channels.log import Log
from sinks.channels.storing import StoringThread
from sinks.clip_order import ClipOrder
from sinks.outbox_item import OutboxItem

ARRIVAL_S = 1.0
"""Seconds between the capture of a clip's last frame and its place in the log, at most, while the line keeps up."""


class ClipChannel:
    """The channel `clips`, one item at a time."""

    def __init__(self, log: Log, url: str, settings: ClipSettings, emit: Emit, limit: TimeLimit = NO_LIMIT) -> None:
        """`limit` is entered for each clip. Raises ConfigError for a `url` that fsspec can't open."""
        self._log = log
        self._files = Files(url)
        self._settings = settings
        self._emit = emit
        self._thread = StoringThread("clips", limit)

    def close(self) -> None:
        """Returns at once, also while a write hangs."""
        self._thread.close()

    async def send(self, item: OutboxItem) -> None:
        """Store the clip, unless it is there or its frames are gone."""
        order = _order(item)
        if await self._thread.run(partial(self._files.exists, order.path)):
            return
        frames = await self._frames(order)
        if not frames:
            self._emit(ClipStored(order.subject, "expired"))
            return
        size = await self._thread.run(partial(self._store, order, frames))
        self._emit(ClipStored(order.subject, "stored", len(frames), size))

    async def _frames(self, order: ClipOrder) -> Sequence[Frame]:
        """Empty: retention has taken them."""
        try:
            logged = await self._log.frame(order.frame_id, order.frame)
            if logged is None or not logged.frame.payload:
                return ()
            window = Window.around(logged.frame.captured_at, self._settings.before_s, self._settings.after_s)
            return await frames_of(self._log, order.frame, logged.frame, window)
        except RetryableError as error:
            raise SinkBusy(f"the frames around {order.frame_id} can't be read: {error}", 0.0) from None

    def _store(self, order: ClipOrder, frames: Sequence[Frame]) -> int:
        """On the thread. Returns the bytes of the clip."""
        content = clip(frames, order.frame_id, self._settings.jpeg_cameras)
        self._files.write(order.path, content)
        return len(content)


def _order(item: OutboxItem) -> ClipOrder:
    try:
        order = ClipOrder.read_json(item.payload)
    except ValidationError as error:
        raise DecodeError(f"outbox item {item.id}: no ClipOrder: {error.error_count()} fields are wrong") from None
    if not is_safe(order.path):
        raise DecodeError(f"outbox item {item.id}: {order.path[:80]!r} is not a safe path below the evidence folder")
    return order
