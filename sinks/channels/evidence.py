"""Stores the picture of a defect: reads its frame back from Kafka by reference, annotates it, writes it by fsspec.

The untouched picture and the facts about it come first, so who sees the annotated picture finds both beside it
(`evidence_files`). No pixels travel twice, so a picture is available only as long as Kafka keeps the frame. If
retention has deleted the frame, or of video the keyframe of its group, the log says so, and a note
(`<name>.expired.json`) takes the picture's place.
"""

import json
from functools import partial

from pydantic import ValidationError

from andon.errors import DecodeError, RetryableError
from andon.events import Emit, EvidenceStored
from andon.process.watchdog import NO_LIMIT, TimeLimit
from andon.settings import EvidenceSettings
from sinks.channels.annotation import annotated
from sinks.channels.channel import SinkBusy
from sinks.channels.evidence_files import expired_path, facts_of, facts_path, raw_path
from sinks.channels.files import Files, is_safe
from sinks.channels.frame_pictures import FramePicture, FramePictures
from sinks.channels.log import Log
from sinks.channels.storing import StoringThread
from sinks.judgement.consequences import EvidenceOrder
from sinks.outbox_item import OutboxItem


class EvidenceChannel:
    """The channel `evidence`, one item at a time. A thread of its own decodes, draws and stores; `close` ends it."""

    def __init__(self, log: Log, settings: EvidenceSettings, emit: Emit, limit: TimeLimit = NO_LIMIT) -> None:
        """`limit` is entered for each picture. Raises ConfigError for a `settings.url` that fsspec can't open."""
        self._files = Files(settings.url)
        self._jpeg_quality = settings.jpeg_quality
        self._emit = emit
        self._thread = StoringThread("evidence", limit)
        self._pictures = FramePictures(log, self._thread)

    def close(self) -> None:
        """Returns at once, also while a write hangs."""
        self._thread.close()

    async def send(self, item: OutboxItem) -> None:
        """Store the picture, or a note where the frame is gone; neither, if one of them is there already."""
        order = _order(item)
        picture = await self._read(order)
        if await self._thread.run(partial(self._store, order, picture)):
            self._emit(EvidenceStored(order.defect.defect_id, "stored" if picture else "expired"))

    async def _read(self, order: EvidenceOrder) -> FramePicture | None:
        ref = order.frame
        try:
            return await self._pictures.of(order.defect.best_frame, ref, order.keyframe)
        except SinkBusy:
            raise
        except RetryableError as error:
            raise SinkBusy(f"the frame {ref.topic}[{ref.partition}]@{ref.offset} can't be read: {error}", 0.0) from None

    def _store(self, order: EvidenceOrder, picture: FramePicture | None) -> bool:
        """On the thread. False if the picture, or the note that it is gone, lies there."""
        path = order.path if picture else expired_path(order.path)
        if self._files.exists(order.path) or self._files.exists(path):
            return False
        if picture is None:
            self._files.write(path, _note(order))
            return True
        content_type, raw = picture.raw()
        marked = annotated(picture.image(), order.defect, self._jpeg_quality, order.shape)
        facts = facts_of(order, picture.frame, content_type, raw)
        self._files.write(raw_path(order.path, content_type), raw)
        self._files.write(facts_path(order.path), facts.model_dump_json(indent=1).encode())
        self._files.write(path, marked)
        return True


def _order(item: OutboxItem) -> EvidenceOrder:
    try:
        order = EvidenceOrder.read_json(item.payload)  # a newer sink may have written it
    except ValidationError as error:
        raise DecodeError(f"outbox item {item.id}: no EvidenceOrder: {error.error_count()} fields are wrong") from None
    if not is_safe(order.path):
        raise DecodeError(f"outbox item {item.id}: {order.path[:80]!r} is not a safe path below the evidence folder")
    return order


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
