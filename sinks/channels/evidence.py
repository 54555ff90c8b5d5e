"""The picture of a defect: its frame read back from Kafka by reference, annotated, stored through fsspec.

No pixels travel twice, so a picture can be had only as long as Kafka keeps the frame. When retention has passed it,
that is said, in the log and beside where the picture would lie (`<name>.expired.json`), not hidden.
"""

import asyncio
import json
import re
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import Protocol

from pydantic import ValidationError

from andon.errors import DecodeError, PoisonError, RetryableError
from andon.events import Emit, EvidenceStored
from andon.messages import Frame, RecordRef
from andon.process.watchdog import NO_LIMIT, TimeLimit
from andon.settings import EvidenceSettings
from andon.wire import Record, decode
from sinks.channels.annotation import annotated
from sinks.channels.channel import SinkBusy
from sinks.channels.files import Files, FilesBusy
from sinks.judgement.consequences import EvidenceOrder
from sinks.outbox_item import OutboxItem

_NAME = re.compile(r"(?!\.)[^/\\:*?\x00-\x1f]{1,200}")
"""A folder's or a file's name that stays where it is put, on every file system and object store."""
BUSY_RETRY_S = 5.0


class Reader(Protocol):
    """`andon.stream.reading.RecordReader`, as far as it is needed here."""

    async def read(self, ref: RecordRef) -> Record | None: ...


class EvidenceChannel:
    """The channel `evidence`. Decoding, drawing and storing happen on a thread of its own; `close` ends it."""

    def __init__(self, reader: Reader, settings: EvidenceSettings, emit: Emit, limit: TimeLimit = NO_LIMIT) -> None:
        """`limit` is entered for each picture. Raises ConfigError for a `settings.url` that fsspec can't open."""
        self._reader = reader
        self._files = Files(settings.url)
        self._jpeg_quality = settings.jpeg_quality
        self._emit = emit
        self._limit = limit
        self._thread = ThreadPoolExecutor(1, "evidence")
        self._under_way: Future[bool] | None = None

    def close(self) -> None:
        """Does not wait for a write that hangs."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def send(self, item: OutboxItem) -> None:
        """Store the picture, unless it is there already. A frame that is gone is said to be, and that is all."""
        order = _order(item)
        record = await self._read(order.frame)
        frame = _frame(record, order.defect.best_frame) if record else None
        if self._under_way is not None and not self._under_way.done():
            raise SinkBusy("the last write has not come back yet: does the evidence folder hang?", BUSY_RETRY_S)
        self._under_way = self._thread.submit(self._store, order, frame)
        try:
            new = await asyncio.wrap_future(self._under_way)
        except FilesBusy as error:
            raise SinkBusy(str(error), BUSY_RETRY_S) from None
        if new:
            self._emit(EvidenceStored(order.defect.defect_id, "stored" if frame else "expired"))

    async def _read(self, ref: RecordRef) -> Record | None:
        try:
            return await self._reader.read(ref)
        except RetryableError as error:
            raise SinkBusy(f"the frame {ref.topic}[{ref.partition}]@{ref.offset} can't be read: {error}", 0.0) from None

    def _store(self, order: EvidenceOrder, frame: Frame | None) -> bool:
        """On the thread, within its time limit. False if the picture, or the note that it is gone, lies there."""
        with self._limit():
            return self._store_once(order, frame)

    def _store_once(self, order: EvidenceOrder, frame: Frame | None) -> bool:
        path = order.path if frame else _expired_path(order.path)
        if self._files.exists(order.path) or self._files.exists(path):
            return False
        content = annotated(frame.payload, order.defect, self._jpeg_quality, order.shape) if frame else _obituary(order)
        self._files.write(path, content)
        return True


def _order(item: OutboxItem) -> EvidenceOrder:
    try:
        order = EvidenceOrder.model_validate_json(item.payload)
    except ValidationError as error:
        raise DecodeError(f"outbox item {item.id}: no EvidenceOrder: {error.error_count()} fields are wrong") from None
    parts = order.path.split("/")
    if not all(_NAME.fullmatch(part) for part in parts):
        raise DecodeError(f"outbox item {item.id}: {order.path[:80]!r} is not a safe path below the evidence folder")
    return order


def _frame(record: Record, wanted: str) -> Frame | None:
    """The frame in `record`; None where another record lies at its place, in a log that began anew."""
    try:
        message = decode(record)
    except DecodeError:
        return None
    if not isinstance(message, Frame) or message.frame_id != wanted:
        return None
    if message.content_type not in ("image/jpeg", "image/png"):
        raise PoisonError("undecodable", f"no picture can be drawn from {message.content_type[:40]!r}")
    return message


def _expired_path(path: str) -> str:
    return str(PurePosixPath(path).with_suffix(".expired.json"))


def _obituary(order: EvidenceOrder) -> bytes:
    defect = order.defect
    told = {
        "evidence": "expired",
        "why": "the frame was no longer in Kafka when its picture was to be stored; see kafka.retention_minutes",
        "defect_id": defect.defect_id,
        "camera_id": defect.camera_id,
        "frame": defect.best_frame,
        "record": order.frame.model_dump(),
        "at": defect.at.isoformat(),
    }
    return json.dumps(told, indent=2).encode()
