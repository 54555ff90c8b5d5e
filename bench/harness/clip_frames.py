"""Fills a frames topic with the clips' JPEGs, of each camera in turn, as ingest would publish them."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from andon import wire
from andon.events import silent
from andon.messages import Frame, RecordRef, new_session
from andon.settings import KafkaSettings
from andon.stream.clients import producer, started
from andon.stream.publisher import KafkaPublisher
from bench.harness.clips import FPS, SIZE_PX

UNACKNOWLEDGED = 64


def publish_clips(kafka: KafkaSettings, jpegs: Mapping[str, Sequence[bytes]], count: int) -> None:
    """Publish `count` frames in all, the clips again and again. Blocks until the broker has them."""
    asyncio.run(_publish(kafka, jpegs, count))


async def _publish(kafka: KafkaSettings, jpegs: Mapping[str, Sequence[bytes]], count: int) -> None:
    began = datetime.now(UTC)
    session = new_session(began)
    acks: list[Awaitable[RecordRef]] = []
    async with started(lambda: producer(kafka), kafka, silent) as client:
        publisher = KafkaPublisher(client)
        for seq in range(-(-count // len(jpegs))):
            for camera, pictures in jpegs.items():
                frame = Frame(
                    camera_id=camera,
                    session=session,
                    seq=seq,
                    captured_at=began + timedelta(seconds=seq / FPS),
                    clock="file",
                    media_time_s=seq / FPS,
                    width=SIZE_PX[0],
                    height=SIZE_PX[1],
                    payload=pictures[seq % len(pictures)],
                )
                acks.append(await publisher.send(kafka.frames_topic, wire.encode(frame)))
            if len(acks) >= UNACKNOWLEDGED:
                await asyncio.gather(*acks)
                acks.clear()
        await asyncio.gather(*acks)
