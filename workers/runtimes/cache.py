"""Exports made on this machine: once for each model, library version and processor, however many workers start."""

import hashlib
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock, Timeout

from andon.errors import ConfigError, FatalError

EXPORT_S = 600.0
"""A large model on a small machine takes minutes."""
LIBRARIES = ("openvino", "torch", "ultralytics")


def cached_export(weights: Path, digest: str, cache: Path, named: str) -> Path:
    """The OpenVINO folder of `weights`, exported now if this machine never did. Blocks, for seconds to minutes.

    `named` begins each message: the key and the file of the user's.

    Raises:
        ConfigError: the weights are not a YOLO detection model, or the cache can't be written.
        FatalError: the export failed or differs from its source.
    """
    target = cache / f"{digest[:16]}-{_machine()}-openvino"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f"{target.name}.lock", timeout=EXPORT_S):
            if not target.is_dir():  # it is there whole or not at all: it was renamed to its place
                _export([str(weights), digest, str(target), str(cache), named], named)
    except Timeout:
        raise FatalError(f"{named}: another process has been exporting it for {EXPORT_S:.0f} s") from None
    except OSError as error:
        raise ConfigError(
            f"{named}: its export can't be kept in {cache}: {error.strerror}; choose another model.cache"
        ) from None
    return target


def _export(job: list[str], named: str) -> None:
    command = [sys.executable, "-m", "workers.runtimes.export", *job]
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter and this package
            command, capture_output=True, text=True, timeout=EXPORT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise FatalError(f"{named}: exporting it took longer than {EXPORT_S:.0f} s") from None
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        kind = ConfigError if done.returncode == 2 else FatalError
        raise kind(last if last.startswith(named) else f"{named}: exporting it failed: {last}")


def _machine() -> str:
    """A short name for what an export depends on besides its model."""
    parts = [platform.machine(), _processor(), *(f"{name}={version(name)}" for name in LIBRARIES)]
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:12]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
