"""Stores the picture of a defect: reads its frame back from Kafka by reference, annotates it, writes it by fsspec.

The untouched picture and the facts about it come first, so who sees the annotated picture finds both beside it
(`evidence_files`). No pixels travel twice, so a picture is available only as long as Kafka keeps the frame. If
retention has deleted the frame, the log says so, and a note (`<name>.expired.json`) takes the picture's place.
"""

import asyncio
import json
import re
from concurrent.futures import Future, ThreadPoolExecutor
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
from sinks.channels.evidence_files import RAW_SUFFIXES, expired_path, facts_of, facts_path, raw_path
from sinks.channels.files import Files, FilesBusy
from sinks.judgement.consequences import EvidenceOrder
from sinks.outbox_item import OutboxItem

_NAME = re.compile(r"(?!\.)[^/\\:*?\x00-\x1f]{1,200}")
"""The name of a folder or file that leads out of no folder, on any file system or object store."""
BUSY_RETRY_S = 5.0
"""Pause before the next write to a storage that is full or away."""


class Reader(Protocol):
    """The part of `andon.stream.reading.RecordReader` that the channel needs."""

    async def read(self, ref: RecordRef) -> Record | None: ...


class EvidenceChannel:
    """The channel `evidence`, one item at a time. A thread of its own decodes, draws and stores; `close` ends it."""

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
        """Returns at once, also while a write hangs."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def send(self, item: OutboxItem) -> None:
        """Store the picture, or a note where the frame is gone; neither, if one of them is there already."""
        order = _order(item)
        record = await self._read(order.frame)
        frame = _frame(record, order.defect.best_frame) if record else None
        if self._under_way is not None and not self._under_way.done():
            raise SinkBusy("the last write has not returned yet: does the evidence folder hang?", BUSY_RETRY_S)
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
        path = order.path if frame else expired_path(order.path)
        if self._files.exists(order.path) or self._files.exists(path):
            return False
        if frame is None:
            self._files.write(path, _note(order))
            return True
        picture = annotated(frame.payload, order.defect, self._jpeg_quality, order.shape)
        self._files.write(raw_path(order.path, frame.content_type), frame.payload)
        self._files.write(facts_path(order.path), facts_of(order, frame).model_dump_json(indent=1).encode())
        self._files.write(path, picture)
        return True


def _order(item: OutboxItem) -> EvidenceOrder:
    try:
        order = EvidenceOrder.read_json(item.payload)  # a newer sink may have written it
    except ValidationError as error:
        raise DecodeError(f"outbox item {item.id}: no EvidenceOrder: {error.error_count()} fields are wrong") from None
    parts = order.path.split("/")
    if not all(_NAME.fullmatch(part) for part in parts):
        raise DecodeError(f"outbox item {item.id}: {order.path[:80]!r} is not a safe path below the evidence folder")
    return order


def _frame(record: Record, wanted: str) -> Frame | None:
    """The frame in `record`; None if another record lies at its offset, because the log began again."""
    try:
        message = decode(record)
    except DecodeError:
        return None
    if not isinstance(message, Frame) or message.frame_id != wanted:
        return None
    if message.content_type not in RAW_SUFFIXES:
        raise PoisonError("undecodable", f"no picture can be drawn from {message.content_type[:40]!r}")
    return message


def _note(order: EvidenceOrder) -> bytes:
    """Why there is no picture."""
    defect = order.defect
    note = {
        "evidence": "expired",
        "why": "the frame was no longer in Kafka when its picture was to be stored; see kafka.retention_minutes",
        "defect_id": defect.defect_id,
        "camera_id": defect.camera_id,
        "frame": defect.best_frame,
        "record": order.frame.model_dump(),
        "at": defect.at.isoformat(),
    }
    return json.dumps(note, indent=2).encode()
