"""An outbox and a channel in memory, and items for them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from andon.errors import RetryableError
from andon.messages import Box, Defect, PartDefect, PartVerdict, RecordRef
from sinks.channels.channel import SinkBusy
from sinks.channels.payload import event_of
from sinks.judgement.consequences import EvidenceOrder
from sinks.outbox_item import OutboxItem
from tests.fakes import START


def a_defect(number: int = 1, camera: str = "press-3", transition: str = "opened", **changes: object) -> Defect:
    """An event that differs from those of other numbers."""
    frame = f"{camera}/20260301T060000.000000Z/{number}"
    values: dict[str, object] = {
        "event_id": f"{frame}/scratch/0/{transition}",
        "defect_id": f"{frame}/scratch/0",
        "transition": transition,
        "camera_id": camera,
        "session": "20260301T060000.000000Z",
        "label": "scratch",
        "severity": "major",
        "confidence": 0.91,
        "box": Box(x1=40, y1=30, x2=120, y2=70),
        "first_frame": frame,
        "best_frame": frame,
        "last_frame": frame,
        "frames": 4,
        "opened_at": START,
        "at": START,
        "evidence": f"andon-data/evidence/{camera}/{number}.jpg",
    }
    return Defect.model_validate({**values, **changes})


def an_item(number: int = 1, channel: str = "memory", partition: int = 0, defect: Defect | None = None) -> OutboxItem:
    """An item of the outbox. Its id is its number."""
    defect = defect or a_defect(number)
    payload = defect.model_dump_json().encode()
    return OutboxItem(number, channel, partition, defect.event_id, payload, START, 0)


def a_part(number: int = 1, verdict: str = "pass", camera: str = "press-3", **changes: object) -> PartVerdict:
    """A verdict that differs from those of other numbers; a rejected part has one scratch."""
    frame = f"{camera}/20260301T060000.000000Z/{number}"
    scratch = PartDefect(
        defect_id=f"{frame}/scratch-1",
        label="scratch",
        severity="major",
        confidence=0.91,
        x=0.25,
        y=0.5,
        box=Box(x1=40, y1=30, x2=120, y2=70),
        best_frame=frame,
        evidence=f"andon-data/evidence/{camera}/{number}.jpg",
    )
    values: dict[str, object] = {
        "event_id": f"{frame}/part-1/verdict",
        "part_id": f"{frame}/part-1",
        "verdict": verdict,
        "reason": "too_few_frames" if verdict == "unknown" else None,
        "camera_id": camera,
        "session": "20260301T060000.000000Z",
        "label": "part",
        "defects": (scratch,) if verdict == "reject" else (),
        "first_frame": frame,
        "last_frame": frame,
        "frames": 6,
        "crossed_at": START,
        "at": START,
    }
    return PartVerdict.model_validate({**values, **changes})


def a_part_item(number: int = 1, part: PartVerdict | None = None, channel: str = "memory") -> OutboxItem:
    part = part or a_part(number)
    return OutboxItem(number, channel, 0, part.event_id, part.model_dump_json().encode(), START, 0)


def an_evidence_item(order: EvidenceOrder) -> OutboxItem:
    return OutboxItem(1, "evidence", 0, order.defect.event_id, order.model_dump_json().encode(), START, 0)


def an_order(ref: RecordRef, defect: Defect | None = None, path: str = "press-3/1.jpg") -> EvidenceOrder:
    return EvidenceOrder(defect=defect or a_defect(), frame=ref, path=path)


class MemoryOutbox:
    """An OutboxStore whose rows are a list."""

    def __init__(self, *items: OutboxItem) -> None:
        self.items = list(items)
        self.busy = 0
        """How many more calls of `sent` are refused."""

    async def waiting(self, channel: str, partitions: frozenset[int], limit: int) -> Sequence[OutboxItem]:
        mine = [item for item in self.items if item.channel == channel and item.partition in partitions]
        return sorted(mine, key=lambda item: item.id)[:limit]

    async def sent(self, ids: Sequence[int]) -> None:
        if self.busy:
            self.busy -= 1
            raise RetryableError("the store is locked")
        self.items = [item for item in self.items if item.id not in ids]

    async def failed(self, ids: Sequence[int]) -> None:
        self.items = [replace(item, attempts=item.attempts + (item.id in ids)) for item in self.items]

    async def give_up_others(
        self, channels: frozenset[str], partitions: frozenset[int], before: datetime
    ) -> Mapping[str, int]:
        others = [
            item
            for item in self.items
            if item.channel not in channels and item.partition in partitions and item.created_at < before
        ]
        self.items = [item for item in self.items if item not in others]
        return Counter(item.channel for item in others)

    async def depth(self, partitions: frozenset[int]) -> Mapping[str, tuple[int, datetime | None]]:
        mine = [item for item in self.items if item.partition in partitions]
        channels = {item.channel for item in mine}
        return {name: _depth([item for item in mine if item.channel == name]) for name in channels}


def _depth(items: Sequence[OutboxItem]) -> tuple[int, datetime | None]:
    return len(items), min(item.created_at for item in items)


class MemoryChannel:
    """A Channel whose outside is a list."""

    def __init__(self) -> None:
        self.received: list[str] = []
        """Event ids, each once."""
        self.away = False

    async def send(self, item: OutboxItem) -> None:
        if self.away:
            raise SinkBusy("away", 0.0)
        event_id = event_of(item).event_id
        if event_id not in self.received:
            self.received.append(event_id)
