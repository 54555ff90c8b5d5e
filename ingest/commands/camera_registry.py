"""The registry for the commands of a person: read once, changed once, each within a time limit."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from andon.cameras.edits import Edit
from andon.cameras.live import LiveState
from andon.cameras.registry import open_registry, open_writer
from andon.errors import FatalError
from andon.events import silent
from andon.messages import CameraConfig
from andon.settings import KafkaSettings, Settings
from ingest.sources.source import SourceError
from ingest.sources.urls import parse

ANSWER_S = 15.0
"""For the broker to let us read all cameras; and again, to acknowledge a change."""
Cameras = Mapping[str, CameraConfig]
Decide = Callable[[Cameras], CameraConfig | None]
"""From all cameras as they are to what one of them is to be; None: removed. It may raise."""


def configs(line: Settings) -> dict[str, CameraConfig]:
    """All cameras of the registry, by id. Blocks. Raises FatalError or ConfigError, in one line."""

    async def read() -> dict[str, CameraConfig]:
        async with open_registry(_quick(line.kafka), silent) as registry:
            return {name: registry.cameras[name].config for name in sorted(registry.cameras)}

    return asyncio.run(read())


def change(line: Settings, camera_id: str, decide: Decide) -> tuple[CameraConfig | None, CameraConfig | None]:
    """Change one camera; returns what it was and what it is. Blocks.

    Raises what `decide` raises, and FatalError where the broker is away or somebody else was faster.
    """

    async def write() -> tuple[CameraConfig | None, CameraConfig | None]:
        kafka = _quick(line.kafka)
        async with open_registry(kafka, silent) as registry, open_writer(kafka, registry, silent) as writer:
            cameras = {name: entry.config for name, entry in registry.cameras.items()}
            before = cameras.get(camera_id)
            edit = Edit(camera_id, before, decide(cameras))
            try:
                async with asyncio.timeout(ANSWER_S):
                    after = await writer.change(camera_id, edit)
            except TimeoutError:
                where = f"Kafka at {kafka.bootstrap_servers}"
                raise FatalError(
                    f"{where} has not acknowledged the change within {ANSWER_S:g} s: look whether it was made"
                ) from None
            edit.require_done()
            return before, after

    return asyncio.run(write())


def _quick(kafka: KafkaSettings) -> KafkaSettings:
    return kafka.model_copy(update={"start_timeout_s": ANSWER_S})


def as_json(config: CameraConfig, live: LiveState | None = None, now: datetime | None = None) -> dict[str, Any]:
    """A camera for programs; docs/cameras.md explains each key. What is not known is null."""
    section = config.settings or {}
    lag_s = live.lag_s(now or datetime.now(UTC)) if live else None
    return {
        "id": config.camera_id,
        "enabled": section.get("enabled", True),
        "pool": section.get("pool", "default"),
        "site": section.get("site"),
        "settings": section,
        "from": config.origin or None,
        "changed_at": config.at.isoformat(),
        "state": live.state if live else None,
        "detail": live.detail if live else None,
        "owner": (live.ingester or None) if live else None,
        "session": live.session if live else None,
        "captured": live.captured if live else None,
        "fps": live.fps if live else None,
        "lag_s": None if lag_s is None else round(lag_s, 3),
        "updated_at": live.updated_at.isoformat() if live and live.updated_at else None,
    }


def shown(url: str) -> str:
    """A camera's address for people: of one in the network its host only, as everywhere."""
    with suppress(SourceError):
        return parse(url).shown
    return "?"
