"""Reads all cameras of the registry, or changes one, once and within a time limit: for people's commands and pages."""

import asyncio
from collections.abc import Callable, Mapping

from andon.cameras.edits import Edit
from andon.cameras.registry import open_registry, open_writer
from andon.errors import FatalError
from andon.events import silent
from andon.messages import CameraConfig
from andon.settings import KafkaSettings

ANSWER_S = 15.0
"""For the broker to let us read all cameras; and again, to acknowledge a change."""
Cameras = Mapping[str, CameraConfig]
Decide = Callable[[Cameras], CameraConfig | None]
"""From all cameras as they are to what one of them is to be; None: removed. It may raise."""


async def all_cameras(kafka: KafkaSettings) -> dict[str, CameraConfig]:
    """All cameras of the registry, by id. Raises FatalError or ConfigError, in one line."""
    async with open_registry(_quick(kafka), silent) as registry:
        return {name: registry.cameras[name].config for name in sorted(registry.cameras)}


async def change_camera(
    kafka: KafkaSettings, camera_id: str, decide: Decide
) -> tuple[CameraConfig | None, CameraConfig | None]:
    """Change one camera; returns what it was and what it is.

    Raises what `decide` raises, and FatalError where the broker is away or somebody else was faster.
    """
    quick = _quick(kafka)
    async with open_registry(quick, silent) as registry, open_writer(quick, registry, silent) as writer:
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


def _quick(kafka: KafkaSettings) -> KafkaSettings:
    return kafka.model_copy(update={"start_timeout_s": ANSWER_S})
