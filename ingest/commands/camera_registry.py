"""The registry for the commands of a person: read once, changed once, each within a time limit."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from andon.cameras.changing import Cameras, Decide, all_cameras, change_camera
from andon.cameras.live import LiveState
from andon.messages import CameraConfig
from andon.settings import Settings
from ingest.sources.source import SourceError
from ingest.sources.urls import parse

__all__ = ["Cameras", "as_json", "change", "configs", "shown"]


def configs(line: Settings) -> dict[str, CameraConfig]:
    """All cameras of the registry, by id. Blocks. Raises FatalError or ConfigError, in one line."""
    return asyncio.run(all_cameras(line.kafka))


def change(line: Settings, camera_id: str, decide: Decide) -> tuple[CameraConfig | None, CameraConfig | None]:
    """`change_camera`, for a command. Blocks."""
    return asyncio.run(change_camera(line.kafka, camera_id, decide))


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
