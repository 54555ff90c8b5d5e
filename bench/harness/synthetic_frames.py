"""Publishes frames straight into the frames topic, as ingest would: no machine could run a hundred times the cameras.

The pictures are small, so that decoding them costs little.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import cv2
import numpy as np

from andon import wire
from andon.events import silent
from andon.messages import Frame, RecordRef, new_session
from andon.settings import KafkaSettings
from andon.stream.clients import producer, started
from andon.stream.publisher import KafkaPublisher, Publisher, partition_of

WIDTH_PX, HEIGHT_PX = 160, 120
UNACKNOWLEDGED = 1000
"""The most records that wait for the broker's acknowledgement."""


def pictures(count: int = 16) -> list[bytes]:
    """Different JPEGs of about 3 KB."""
    noise = np.random.default_rng(7)
    coarse = noise.integers(0, 256, (count, 12, 16, 3), np.uint8)
    large = (cv2.resize(picture, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_CUBIC) for picture in coarse)
    return [cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes() for picture in large]


def camera_ids(count: int) -> list[str]:
    """Camera ids as people choose them; their hashes may share the partitions out unevenly."""
    return [f"camera-{number:03}" for number in range(count)]


def evenly_placed(count: int, partitions: int) -> list[str]:
    """Camera ids whose hashes share the partitions out evenly, so that no worker has more cameras than another."""
    context = [count // partitions + (number < count % partitions) for number in range(partitions)]
    chosen: list[str] = []
    number = 0
    while len(chosen) < count:
        camera_id = f"camera-{number:05}"
        partition = partition_of(camera_id.encode(), partitions)
        if context[partition] > 0:
            context[partition] -= 1
            chosen.append(camera_id)
        number += 1
    return chosen


class FrameFeed:
    """Sends frames of its cameras in turn and numbers each camera's frames from 0."""

    def __init__(self, publisher: Publisher, topic: str, cameras: Sequence[str]) -> None:
        self._publisher = publisher
        self._topic = topic
        self._cameras = cameras
        self._pictures = pictures()
        self._session = new_session(datetime.now(UTC))
        self._acks: list[Awaitable[RecordRef]] = []
        self.sent = 0

    @property
    def by_camera(self) -> dict[str, int]:
        """The number of frames sent, by camera."""
        rounds, rest = divmod(self.sent, len(self._cameras))
        return {camera_id: rounds + (number < rest) for number, camera_id in enumerate(self._cameras)}

    async def send(self, count: int) -> None:
        """Send `count` frames. Waits while too many are unacknowledged."""
        for _ in range(count):
            self._acks.append(await self._publisher.send(self._topic, wire.encode(self._frame())))
            self.sent += 1
            if len(self._acks) >= UNACKNOWLEDGED:
                await self.flush()

    async def flush(self) -> None:
        """Return when the broker has acknowledged all frames. Raises RetryableError if it refused one."""
        acks, self._acks = self._acks, []
        await asyncio.gather(*acks)

    def _frame(self) -> Frame:
        seq, camera = divmod(self.sent, len(self._cameras))
        return Frame(
            camera_id=self._cameras[camera],
            session=self._session,
            seq=seq,
            captured_at=datetime.now(UTC),
            clock="host",
            width=WIDTH_PX,
            height=HEIGHT_PX,
            payload=self._pictures[self.sent % len(self._pictures)],
        )


@asynccontextmanager
async def open_feed(kafka: KafkaSettings, cameras: Sequence[str]) -> AsyncIterator[FrameFeed]:
    """A feed into the existing topic of the default pool."""
    async with started(lambda: producer(kafka), kafka, silent) as client:
        yield FrameFeed(KafkaPublisher(client), kafka.frames_topic, cameras)
