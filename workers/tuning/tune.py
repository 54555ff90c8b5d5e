"""Tunes a model: has its candidates measured by a process of their own, chooses one, and records the choice."""

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError

from andon.errors import ConfigError, FatalError
from andon.process.machine import cores
from workers.runtimes.cache import ENDINGS, Exporter, Format, gpus, processor
from workers.runtimes.manifest import file_digest
from workers.runtimes.tuned import Candidate, Tuning, versions, write_record
from workers.tuning.candidates import on_cpu
from workers.tuning.choosing import choose
from workers.tuning.order import LEAST_FRAMES, ORDER, REPORT, SkippedError, TuningFrames, TuningOrder

COMMAND: Sequence[str] = (sys.executable, "-m", "workers.tuning.measuring")
FindFrames = Callable[[Path], TuningFrames]
"""Finds the frames to measure on. It may write them into the folder, which it makes."""
CANDIDATES = TypeAdapter(tuple[Candidate, ...])


class TuningProcess(Exporter):
    """Runs the measurement, killed past its time limit. `stop` may be called from any thread."""

    doing = "measuring it"
    setting = "worker.tune_timeout_s"

    def command(self) -> Sequence[str]:
        return COMMAND


@dataclass(frozen=True, slots=True)
class _TuningResult:
    candidates: tuple[Candidate, ...]
    trouble: str
    """Why the measurement ended early. Empty: it did not."""
    seconds: float


def tune(order: TuningOrder, find_frames: FindFrames, process: TuningProcess) -> Tuning:
    """Blocks for a minute or more. The record is on disk when this returns.

    Raises SkippedError: too few frames, another process is measuring, or it was stopped. Raises OSError: the cache
    can't be written.
    """
    order.cache.mkdir(parents=True, exist_ok=True)
    with _alone(order) as room:
        frames = find_frames(room / "frames")
        if len(frames) < LEAST_FRAMES:
            raise SkippedError(f"{frames.source} has {len(frames)} usable frames, {LEAST_FRAMES} are needed")
        measured = _measure(order.with_frames(frames), room, process)
        tuning = _concluded(order, frames, measured)
        kept = _kept(tuning, order, room)
        write_record(kept, order.record)
        _remove_others(kept, order)
        return kept


@contextmanager
def _alone(order: TuningOrder) -> Iterator[Path]:
    """A room for the measurement, which no other process has meanwhile."""
    lock = FileLock(order.record.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise SkippedError("another process is measuring it now") from None
    room = order.record.with_suffix(".room")
    try:
        shutil.rmtree(room, ignore_errors=True)  # of a process that was killed
        room.mkdir()
        yield room
    finally:
        shutil.rmtree(room, ignore_errors=True)
        lock.release()


def _measure(order: TuningOrder, room: Path, process: TuningProcess) -> _TuningResult:
    (room / ORDER).write_text(order.model_dump_json(), encoding="utf-8")
    since_s, trouble = time.monotonic(), ""
    try:
        process.run([str(room)], order.named)
    except FatalError as error:
        if process.stopped or isinstance(error, ConfigError):
            raise SkippedError("it was stopped" if process.stopped else str(error)) from None
        trouble = str(error).removeprefix(f"{order.named}: ")
    return _TuningResult(_reported(room), trouble, time.monotonic() - since_s)


def _reported(room: Path) -> tuple[Candidate, ...]:
    """What the process had measured when it ended, however it ended."""
    try:
        return CANDIDATES.validate_python(json.loads((room / REPORT).read_bytes()))
    except (OSError, ValueError, ValidationError):
        return ()


def _concluded(order: TuningOrder, frames: TuningFrames, measured: _TuningResult) -> Tuning:
    model = order.model
    choice = choose(measured.candidates, model.min_agreement, on_cpu=on_cpu(model))
    return Tuning(
        weights=order.weights.name,
        digest=order.digest,
        processor=processor(),
        cores=cores(),
        gpus=tuple(gpus()),
        versions=versions(),
        imgsz=model.imgsz,
        confidence=model.confidence,
        min_agreement=model.min_agreement,
        frames_from=frames.source,
        calibration_frames=len(frames.calibration),
        held_out_frames=len(frames.held_out),
        candidates=measured.candidates,
        choice=choice.index,
        reason="; ".join(part for part in (choice.reason, measured.trouble) if part),
        seconds=round(measured.seconds, 1),
        made_at=datetime.now(UTC).replace(microsecond=0),
    )


def _kept(tuning: Tuning, order: TuningOrder, room: Path) -> Tuning:
    """The same, with the choice's artifact in the cache under a name of its own. The others' are dropped."""
    kept = list(tuning.candidates)
    for index, candidate in enumerate(kept):
        name = None
        if candidate.artifact is not None and index == tuning.choice:
            artifact = room / candidate.artifact
            name = f"{order.record.stem}-{_fingerprint(artifact)}-{candidate.precision}{ENDINGS[_form(candidate)]}"
            shutil.rmtree(order.cache / name, ignore_errors=True)
            artifact.replace(order.cache / name)
        kept[index] = candidate.model_copy(update={"artifact": name})
    return tuning.model_copy(update={"candidates": tuple(kept)})


def _form(candidate: Candidate) -> Format:
    if candidate.runtime == "torch":
        raise AssertionError("torch serves the .pt itself")
    return candidate.runtime


def _fingerprint(artifact: Path) -> str:
    """Short, of its content, so that a worker that opens one never finds another in its place."""
    files = sorted(artifact.iterdir()) if artifact.is_dir() else [artifact]
    return hashlib.sha256("".join(file_digest(file) for file in files).encode()).hexdigest()[:8]


def _remove_others(tuning: Tuning, order: TuningOrder) -> None:
    """The artifacts of earlier tunings with the same settings on this machine."""
    kept = {candidate.artifact for candidate in tuning.candidates}
    for path in order.cache.glob(f"{order.record.stem}-*"):
        if path.name not in kept:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
