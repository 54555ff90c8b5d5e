"""Starts workers whose detector sleeps (`sleeping_worker`), and makes the topics that they read and write."""

import sys

from andon.events import silent
from andon.settings import KafkaSettings, Settings
from andon.stream.topics import ensure_topics
from bench.harness.roles import Roles

PARTITIONS = 24
"""A line's default: three for each of eight workers."""
READY_S = 60.0
MODULE = "bench.harness.sleeping_worker"


def start_workers(roles: Roles, count: int, batch_ms: float) -> list[str]:
    """Start workers and wait until all have joined their group. Returns their names."""
    names = [f"worker-{number}" for number in range(1, count + 1)]
    for name in names:
        command = [sys.executable, "-m", MODULE, "-c", str(roles.config), "--batch-ms", str(batch_ms)]
        roles.start(name, whole=command, ready=False)
    roles.until(lambda: all(roles.is_ready(name) for name in names), READY_S, f"{count} workers to be ready")
    return names


async def make_topics(kafka: KafkaSettings) -> None:
    """Create the topics of a line."""
    await ensure_topics(Settings(kafka=kafka), silent)
