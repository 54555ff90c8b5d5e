"""Lowers how large a record the frames topic takes, as an administrator may do under a running line."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from andon.events import silent
from andon.settings import KafkaSettings
from andon.stream.clients import admin, started

LIMIT_BYTES = 1_000_000


@asynccontextmanager
async def narrow(kafka: KafkaSettings) -> AsyncIterator[None]:
    """The frames topic takes no record above LIMIT_BYTES within the block."""
    await _limit(kafka, LIMIT_BYTES)
    try:
        yield
    finally:
        await _limit(kafka, kafka.max_record_bytes + 100_000)


async def _limit(kafka: KafkaSettings, limit_bytes: int) -> None:
    """The whole configuration that Andon gives its topics: what is left out would fall back to the broker's."""
    configs = {
        "retention.ms": str(int(kafka.retention_minutes * 60_000)),
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(limit_bytes),
    }
    resource = ConfigResource(ConfigResourceType.TOPIC, kafka.frames_topic, configs)
    async with started(lambda: admin(kafka), kafka, silent) as client:
        await client.alter_configs([resource])
