"""Exports made on this machine: once for each model, library version and processor, however many workers start."""

import hashlib
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from andon.errors import ConfigError, FatalError
from andon.settings import WorkerSettings

EXPORT_S = WorkerSettings().export_timeout_s
LOOK_S = 0.2
"""Interval between two looks at a running export, and at a lock that another process holds."""
COMMAND: Sequence[str] = (sys.executable, "-m", "workers.runtimes.export")
Format = Literal["openvino", "onnx", "tensorrt"]
LIBRARIES: dict[Format, tuple[str, ...]] = {
    "openvino": ("openvino", "torch", "ultralytics"),
    "onnx": ("onnx", "onnxruntime", "torch", "ultralytics"),
    "tensorrt": ("tensorrt", "onnx", "torch", "ultralytics"),
}
"""The packages that make and check an export. Another version of one makes another export."""
ENDINGS: dict[Format, str] = {"openvino": "-openvino", "onnx": ".onnx", "tensorrt": ".engine"}
"""An OpenVINO export is a folder."""


class Exporter:
    """Runs exports, each as a process of its own with a time limit. `stop` may be called from any thread."""

    def __init__(self, timeout_s: float = EXPORT_S) -> None:
        self._timeout_s = timeout_s
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End the running export, if there is one, and begin no other."""
        self._stopped.set()

    def run(self, arguments: Sequence[str], named: str) -> None:
        """Blocks until the export is done. Raises ConfigError or FatalError with its last line, or when it is stopped.

        `arguments`: see `workers.runtimes.export`. `named` begins each message.
        """
        deadline_s = time.monotonic() + self._timeout_s
        process = subprocess.Popen(  # noqa: S603 - this interpreter and this package
            [*COMMAND, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        with process:
            try:
                complaint = self._complaint(process, deadline_s, named)
            finally:
                process.kill()
        if process.returncode != 0:
            last = (complaint.strip().splitlines() or ["no reason given"])[-1]
            kind = ConfigError if process.returncode == 2 else FatalError
            raise kind(last if last.startswith(named) else f"{named}: exporting it failed: {last}")

    @contextmanager
    def locked(self, path: Path, named: str) -> Iterator[None]:
        """Hold the lock at `path`, as soon as no other process does."""
        deadline_s = time.monotonic() + self._timeout_s
        lock = FileLock(path)
        while True:
            try:
                lock.acquire(timeout=LOOK_S)
                break
            except Timeout:
                self._require_time(deadline_s, f"{named}: another process has been exporting it")
        try:
            yield
        finally:
            lock.release()

    def _complaint(self, process: subprocess.Popen[str], deadline_s: float, named: str) -> str:
        while True:
            try:
                return process.communicate(timeout=LOOK_S)[1]
            except subprocess.TimeoutExpired:
                self._require_time(deadline_s, f"{named}: exporting it has not returned")

    def _require_time(self, deadline_s: float, what: str) -> None:
        if self._stopped.is_set():
            raise FatalError(f"{what}: it was stopped")
        if time.monotonic() > deadline_s:
            raise FatalError(f"{what} for {self._timeout_s:g} s (worker.export_timeout_s)")


def cached_export(
    weights: Path, digest: str, cache: Path, named: str, form: Format = "openvino", exporter: Exporter | None = None
) -> Path:
    """The export of `weights` in that format, made now if this machine never made it. Blocks for seconds to minutes.

    `named` begins each message: the user's key and file.

    Raises:
        ConfigError: the weights are no model that is served, the cache can't be written, or a package for the export
            is not installed.
        FatalError: the export failed, differs from its source, took too long or was stopped.
    """
    exporter = exporter or Exporter()
    target = cache / f"{digest[:16]}-{_machine(form, named)}{ENDINGS[form]}"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with exporter.locked(cache / f"{target.name}.lock", named):
            if not target.exists():  # it is there whole or not at all: it was renamed to its place
                # made here and not by the export: that may be killed
                with tempfile.TemporaryDirectory(dir=cache, prefix="export-") as room:
                    exporter.run([str(weights), digest, str(target), str(cache), room, named, form], named)
    except OSError as error:
        raise ConfigError(
            f"{named}: its export can't be kept in {cache}: {error.strerror}; choose another model.cache"
        ) from None
    return target


def _machine(form: Format, named: str) -> str:
    """A short name for everything that an export depends on besides its model."""
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
    """The driver's name for each GPU: an engine is built for one kind."""
    described = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    return [path.read_text(encoding="utf-8").splitlines()[0] for path in described]
