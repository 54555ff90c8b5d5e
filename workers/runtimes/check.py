"""Checks every pool's weights for `andon config check`, without loading a model: a missing file, a wrong digest, a
runtime that is not installed or can't serve that file."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

from andon.errors import ConfigError
from andon.folders import unwritable
from andon.settings import Settings
from workers.runtimes.choice import require_servable
from workers.runtimes.manifest import read_manifest
from workers.task import Task

ANY_RUNTIME = ("openvino", "onnxruntime", "torch", "tensorrt")
NO_MODEL = (b"version https://git-lfs", b"<!DOCTYPE", b"<html")
"""The first bytes of what lies in place of a model where a download went wrong: Git LFS' pointer, a web page."""


def check(settings: Settings) -> Iterator[str]:
    """The faults of all pools. None on a host without any runtime, where no worker runs and no weights need to lie.

    Raises ModuleNotFoundError there.
    """
    if not any(find_spec(name) for name in ANY_RUNTIME):
        raise ModuleNotFoundError(name=ANY_RUNTIME[0])
    used = {camera.pool for camera in settings.cameras if camera.enabled}
    for name, pool in settings.pools.items():
        if not pool.model.weights and name not in used:
            continue
        try:
            require_servable(pool.model, f"pools.{name}.model")
        except ConfigError as error:
            yield str(error)
            continue
        yield from _task(Path(pool.model.weights).expanduser(), f"pools.{name}.model.weights")
        yield from _content(Path(pool.model.weights).expanduser(), f"pools.{name}.model.weights")
        named = pool.model.calibration
        if named and not Path(named).expanduser().exists():
            yield f"pools.{name}.model.calibration: {named}: no such folder of pictures, and no dataset's YAML"
        if fault := unwritable(Path(pool.model.cache)):
            yield f"pools.{name}.model.cache: {fault}"


def _task(path: Path, key: str) -> Iterator[str]:
    """By the manifest, where the weights have one."""
    manifest = read_manifest(path, key)
    tasks = get_args(Task)
    if manifest is not None and manifest.task not in tasks:
        yield f"{key}: {path}: a model for {manifest.task!r}, which no worker serves (they serve {', '.join(tasks)})"


def _content(path: Path, key: str) -> Iterator[str]:
    if path.is_dir():
        return
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        yield f"{key}: {path}: the file is empty"
    elif start.startswith(NO_MODEL):
        yield f"{key}: {path}: no model, but a Git LFS pointer or a web page: download the file itself"
