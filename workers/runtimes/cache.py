"""Exports made on this machine: once for each model, library version and processor, however many workers start."""

import hashlib
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from andon.errors import ConfigError, FatalError
from andon.settings import WorkerSettings
from workers.runtimes.manifest import Precision

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

    doing = "exporting it"
    setting = "worker.export_timeout_s"

    def __init__(self, timeout_s: float = EXPORT_S) -> None:
        self._timeout_s = timeout_s
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End the running export, if there is one, and begin no other."""
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()

    def command(self) -> Sequence[str]:
        return COMMAND

    def run(self, arguments: Sequence[str], named: str) -> None:
        """Blocks until it has ended. Raises ConfigError or FatalError with its last line, or when it is stopped.

        `arguments`: see `workers.runtimes.export`. `named` begins each message. What the process has started ends with
        it.
        """
        deadline_s = time.monotonic() + self._timeout_s
        process = subprocess.Popen(  # noqa: S603 - this interpreter and this package
            [*self.command(), *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        with process:
            try:
                complaint = self._complaint(process, deadline_s, named)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        if process.returncode != 0:
            last = (complaint.strip().splitlines() or ["no reason given"])[-1]
            kind = ConfigError if process.returncode == 2 else FatalError
            raise kind(last if last.startswith(named) else f"{named}: {self.doing} failed: {_ended(process, last)}")

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
                self._require_time(deadline_s, f"{named}: another process has been {self.doing}")
        try:
            yield
        finally:
            lock.release()

    def _complaint(self, process: subprocess.Popen[str], deadline_s: float, named: str) -> str:
        while True:
            try:
                return process.communicate(timeout=LOOK_S)[1]
            except subprocess.TimeoutExpired:
                self._require_time(deadline_s, f"{named}: {self.doing} has not returned")

    def _require_time(self, deadline_s: float, what: str) -> None:
        if self._stopped.is_set():
            raise FatalError(f"{what}: it was stopped")
        if time.monotonic() > deadline_s:
            raise FatalError(f"{what} for {self._timeout_s:g} s ({self.setting})")


def _ended(process: subprocess.Popen[str], last: str) -> str:
    """Why it failed: its last line, or the signal that ended it."""
    if process.returncode >= 0:
        return last
    number = -process.returncode
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    return f"{name} ended it" + (": too little memory?" if number == signal.SIGKILL else "")


@dataclass(frozen=True, slots=True)
class ExportKind:
    """Which export is wanted."""

    form: Format = "openvino"
    precision: Precision | None = None
    """None: fp16 for TensorRT, else fp32."""

    @property
    def ending(self) -> str:
        usual = self.precision in (None, "fp16" if self.form == "tensorrt" else "fp32")
        return ENDINGS[self.form] if usual else f"-{self.precision}{ENDINGS[self.form]}"


def cached_export(
    weights: Path,
    digest: str,
    cache: Path,
    named: str,
    kind: ExportKind | None = None,
    exporter: Exporter | None = None,
) -> Path:
    """The export of `weights` in that format, made now if this machine never made it. Blocks for seconds to minutes.

    `named` begins each message: the user's key and file.

    Raises:
        ConfigError: the weights are no model that is served, the cache can't be written, or a package for the export
            is not installed.
        FatalError: the export failed, differs from its source, took too long or was stopped.
    """
    exporter, kind = exporter or Exporter(), kind or ExportKind()
    target = cache / f"{digest[:16]}-{_machine(kind.form, named)}{kind.ending}"
    form_and_precision = kind.form if kind.precision is None else f"{kind.form} {kind.precision}"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with exporter.locked(cache / f"{target.name}.lock", named):
            if not target.exists():  # it is there whole or not at all: it was renamed to its place
                # made here and not by the export: that may be killed
                with tempfile.TemporaryDirectory(dir=cache, prefix="export-") as room:
                    exporter.run(
                        [str(weights), digest, str(target), str(cache), room, named, form_and_precision], named
                    )
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
    parts = [platform.machine(), processor(), *versions, *(gpus() if form == "tensorrt" else [])]
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:12]


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def gpus() -> list[str]:
    """The driver's name for each GPU: an engine is built for one kind."""
    described = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    return [path.read_text(encoding="utf-8").splitlines()[0] for path in described]
