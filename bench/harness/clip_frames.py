"""Fills a frames topic beforehand with what ingest would have published: the clips' JPEGs, of each camera in turn."""

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

UNDER_WAY = 64


def fill(kafka: KafkaSettings, jpegs: Mapping[str, Sequence[bytes]], count: int) -> None:
    """Publish `count` frames in all, the clips over and over. Blocks until the broker has them."""
    asyncio.run(_fill(kafka, jpegs, count))


async def _fill(kafka: KafkaSettings, jpegs: Mapping[str, Sequence[bytes]], count: int) -> None:
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
            if len(acks) >= UNDER_WAY:
                await asyncio.gather(*acks)
                acks.clear()
        await asyncio.gather(*acks)
