"""Exports made on this machine: once for each model, library version and processor, however many workers start."""

import hashlib
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from andon.errors import ConfigError, FatalError

EXPORT_S = 600.0
"""A large model on a small machine takes minutes."""
Format = Literal["openvino", "onnx", "tensorrt"]
LIBRARIES: dict[Format, tuple[str, ...]] = {
    "openvino": ("openvino", "torch", "ultralytics"),
    "onnx": ("onnx", "onnxruntime", "torch", "ultralytics"),
    "tensorrt": ("tensorrt", "onnx", "torch", "ultralytics"),
}
"""What making and checking an export takes; another version makes another export."""
ENDINGS: dict[Format, str] = {"openvino": "-openvino", "onnx": ".onnx", "tensorrt": ".engine"}
"""OpenVINO's is a folder."""


def cached_export(weights: Path, digest: str, cache: Path, named: str, form: Format = "openvino") -> Path:
    """The export of `weights` in that format, made now if this machine never did. Blocks, for seconds to minutes.

    `named` begins each message: the key and the file of the user's.

    Raises:
        ConfigError: the weights are not a YOLO detection model, the cache can't be written, or what
            exports is not installed.
        FatalError: the export failed or differs from its source.
    """
    target = cache / f"{digest[:16]}-{_machine(form, named)}{ENDINGS[form]}"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f"{target.name}.lock", timeout=EXPORT_S):
            if not target.exists():  # it is there whole or not at all: it was renamed to its place
                _export([str(weights), digest, str(target), str(cache), named, form], named)
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


def _machine(form: Format, named: str) -> str:
    """A short name for what an export depends on besides its model."""
    try:
        versions = [f"{name}={version(name)}" for name in LIBRARIES[form]]
    except PackageNotFoundError as error:
        missing = f"exporting it takes {error.name}, which is not installed"
        raise ConfigError(f"{named}: {missing}: pip install 'andon[workers,onnx]'") from None
    parts = [platform.machine(), _processor(), *versions, *(_gpus() if form == "tensorrt" else [])]
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:12]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def _gpus() -> list[str]:
    """What the driver calls each; an engine is built for one kind."""
    described = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    return [path.read_text(encoding="utf-8").splitlines()[0] for path in described]
