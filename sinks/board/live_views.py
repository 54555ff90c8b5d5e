"""Live views: the newest inspected frame of each camera that somebody looks at, with its boxes.

A message names the frame and where its picture is; both are of one inspection, so boxes never belong to another frame.
While nobody looks, nothing is read. A page shows a frame when it has the picture, and then the newest one after it.
"""

import asyncio
from collections.abc import Collection

from pydantic import JsonValue, ValidationError
from redis.asyncio import Redis

from andon.errors import RetryableError
from andon.messages import Detection, Inspection, RecordRef
from andon.redis import address, refusal, why
from andon.settings import RedisSettings
from sinks.board.hub import Hub
from sinks.channels.redis_errors import FAILURES

TOPIC = "camera:"
"""Begins the hub's topic of a camera's live view."""
PACE_S = 0.1
"""Between two looks. The sinks write the newest frame of a camera every 0.25 s, and each is to be shown at once."""
READS_S = 20.0
"""Pictures a second for all live views together: with more cameras each one is shown more slowly."""
LOOK_S = 2.0
"""A look follows the cameras for this long; then the news know that it still answers."""
MOST_BOXES = 100
"""On one picture. More say nothing that a person can read."""


class LiveViews:
    """Event loop only."""

    def __init__(self, redis: Redis, settings: RedisSettings, hub: Hub) -> None:
        self._redis = redis
        self._settings = settings
        self._hub = hub
        self._shown: dict[str, bytes] = {}
        """By camera: the inspection that was published last."""

    async def look(self) -> None:
        """Follow the cameras that are watched. Raises RetryableError while Redis is away."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + LOOK_S
        while (watched := self._hub.asked_for(TOPIC)) and loop.time() < until_s:
            self._shown = {camera: found for camera, found in self._shown.items() if camera in watched}
            for camera, found in (await self._read(sorted(watched))).items():
                self._publish(camera, found)
            await asyncio.sleep(max(PACE_S, len(watched) / READS_S))

    async def newest(self, camera_id: str) -> Inspection | None:
        """The newest inspected frame. Raises RetryableError while Redis is away."""
        found = (await self._read([camera_id])).get(camera_id)
        return None if found is None else _inspection(found)

    async def _read(self, cameras: Collection[str]) -> dict[str, bytes]:
        keys = [f"{self._settings.prefix}:inspection:{camera}" for camera in cameras]
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                answers = await self._redis.mget(keys)
        except FAILURES as error:
            raise RetryableError(f"redis at {address(self._redis)}: {refusal(error) or why(error)}") from None
        return {camera: answer for camera, answer in zip(cameras, answers, strict=True) if isinstance(answer, bytes)}

    def _publish(self, camera_id: str, found: bytes) -> None:
        if found == self._shown.get(camera_id):
            return
        self._shown[camera_id] = found
        if (inspection := _inspection(found)) is not None:
            self._hub.publish(TOPIC + camera_id, frame_json(inspection), keep=False)


def _inspection(found: bytes) -> Inspection | None:
    try:
        return Inspection.read_json(found)
    except ValidationError:
        return None  # a newer sink's; there is nothing to show


def picture_path(ref: RecordRef) -> str:
    """The address of a frame's picture."""
    return f"/pictures/{ref.topic}/{ref.partition}/{ref.offset}"


def frame_json(inspection: Inspection) -> dict[str, JsonValue]:
    """A frame as the live view gets it: its picture's address, and what was found on it, in its pixels."""
    return {
        "camera": inspection.camera_id,
        "frame": inspection.frame_id,
        "picture": picture_path(inspection.frame),
        "at": inspection.captured_at.isoformat(timespec="milliseconds"),
        "latency_s": round(max(0.0, (inspection.inspected_at - inspection.captured_at).total_seconds()), 3),
        "width": inspection.width,
        "height": inspection.height,
        "health": inspection.health,
        "boxes": [_box(detection) for detection in inspection.detections[:MOST_BOXES]],
    }


def _box(detection: Detection) -> dict[str, JsonValue]:
    box, outline = detection.box, detection.polygon or detection.corners
    shown: dict[str, JsonValue] = {
        "label": detection.label,
        "confidence": round(detection.confidence, 3),
        "box": [box.x1, box.y1, box.x2, box.y2],
    }
    if outline:
        shown["outline"] = [[x, y] for x, y in outline]
    if detection.keypoints:
        shown["points"] = [[point.x, point.y] for point in detection.keypoints]
    return shown
