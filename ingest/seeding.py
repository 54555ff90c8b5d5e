"""Publishes the cameras of line.yaml in the registry, as far as they have changed since a start last published them."""

from functools import partial

from andon.cameras.registry import Change, Registry, Writer
from andon.cameras.sections import OWN
from andon.cameras.seed import Seed
from andon.clock import Clock
from andon.events import CamerasSeeded, Emit, PasswordKeptOut
from andon.messages import CameraConfig

NAMED = 20
"""Cameras that a line of the log names."""


async def seed_registry(registry: Registry, writer: Writer, seed: Seed, clock: Clock, emit: Emit) -> None:
    """Returns when the registry has them. Raises RetryableError or FatalError where the broker takes them not."""
    kept_out = [camera_id for camera_id, section in seed.sections.items() if OWN in str(section["url"])]
    if kept_out:
        emit(PasswordKeptOut(_listed(kept_out)))
    before = {camera_id: entry.config for camera_id, entry in registry.cameras.items()}
    differing = [
        camera_id
        for camera_id in sorted(before.keys() | seed.sections.keys())
        if seed.wanted(camera_id, before.get(camera_id), clock.now()) is not before.get(camera_id)
    ]
    if not differing:
        return

    def change(camera_id: str, present: CameraConfig | None) -> CameraConfig | None:
        return seed.wanted(camera_id, present, clock.now())

    changes: dict[str, Change] = {camera_id: partial(change, camera_id) for camera_id in differing}
    after = await writer.change_all(changes)
    added = [camera_id for camera_id in differing if camera_id not in before]
    removed = [camera_id for camera_id in differing if after[camera_id] is None]
    changed = [camera_id for camera_id in differing if camera_id not in {*added, *removed}]
    emit(CamerasSeeded(_listed(added), _listed(changed), _listed(removed)))


def _listed(cameras: list[str]) -> str:
    more = len(cameras) - NAMED
    return ",".join(cameras[:NAMED]) + (f" and {more} more" if more > 0 else "") or "-"
