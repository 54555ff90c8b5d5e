"""Garbage records in the frames topic, as a foreign or broken producer writes them."""

import random
from collections.abc import Sequence

from andon.events import silent
from andon.settings import KafkaSettings
from andon.stream.clients import producer, started

RECORDS = 20
"""Far below `worker.quarantine_limit`, past which cameras are reported."""


async def publish_poison(kafka: KafkaSettings, cameras: Sequence[str], seed: int) -> None:
    """Publish garbage under the cameras' keys, so that it lies between their frames. Returns when the broker has it."""
    chance = random.Random(seed)
    async with started(lambda: producer(kafka), kafka, silent) as client:
        for number in range(RECORDS):
            headers = [("ce_specversion", b"1.0"), ("ce_type", chance.randbytes(12))] if number % 2 else []
            key = chance.choice(cameras).encode()
            await client.client.send_and_wait(kafka.frames_topic, chance.randbytes(1_000), key, headers=headers)
