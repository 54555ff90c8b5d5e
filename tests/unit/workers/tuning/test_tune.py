"""A tuning, from its order to the record that workers serve by. A stand-in takes the measuring process' place."""

import errno
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from andon.events import CandidateMeasured, Event, ModelTuned, TuningSkipped
from andon.settings import ModelSettings, PoolSettings, Settings
from tests.detectors import DEMO_WEIGHTS
from workers.runtimes.tuned import Tuning, read_record, record_path, tuned_setup
from workers.tuning import tune as tuning_module
from workers.tuning.at_start import tune_at_start
from workers.tuning.order import SkippedError, TuningFrames, TuningOrder, order_for
from workers.tuning.tune import TuningProcess, tune

FLOAT = {"runtime": "openvino", "precision": "fp32", "cpu_ms": 17.5, "wall_ms": 9.0, "agreement": 1.0, "boxes": 200}
INT8 = FLOAT | {"precision": "int8", "cpu_ms": 11.4, "streams": 2, "frames": 4, "artifact": "int8-openvino"}
LIMIT_S = 30.0
"""Of a measurement that is meant to end."""
WRITE = "import json, pathlib, sys\nroom = pathlib.Path(sys.argv[1])\n"


def report(*candidates: dict[str, Any]) -> str:
    """Python that measures these, and makes the artifacts that they name."""
    artifacts = "".join(
        f"artifact = room / {one['artifact']!r}\nartifact.mkdir()\n(artifact / 'model.bin').write_bytes(b'8')\n"
        for one in candidates
        if "artifact" in one
    )
    return f"{WRITE}{artifacts}(room / 'candidates.json').write_text(json.dumps({list(candidates)!r}))\n"


Measures = Callable[[str], None]


@pytest.fixture
def measures(monkeypatch: pytest.MonkeyPatch) -> Measures:
    """Puts a Python program in the place of the measuring process."""

    def put(program: str) -> None:
        monkeypatch.setattr(tuning_module, "COMMAND", (sys.executable, "-c", program))

    return put


@pytest.fixture
def frames(tmp_path: Path) -> TuningFrames:
    paths = tuple(tmp_path / f"{number}.jpg" for number in range(50))
    return TuningFrames(source="the topic andon.frames", calibration=paths[:30], held_out=paths[30:])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    model = {"weights": str(DEMO_WEIGHTS), "cache": str(tmp_path / "cache")}
    return Settings.model_validate(
        {"pools": {"default": {"model": model}}, "worker": {"tune_timeout_s": LIMIT_S}, "kafka": NOBODY}
    )


NOBODY = {"bootstrap_servers": "127.0.0.1:9", "start_timeout_s": 0.2}
"""A port at which nothing listens."""


def order_in(settings: Settings, limit_s: float = LIMIT_S) -> TuningOrder:
    order = order_for(settings.pools["default"], "default", limit_s)
    assert order is not None
    return order


def tuned(settings: Settings, frames: TuningFrames, limit_s: float = LIMIT_S) -> Tuning:
    return tune(order_in(settings, limit_s), lambda _: frames, TuningProcess(limit_s))


def model_of(settings: Settings) -> ModelSettings:
    return settings.pools["default"].model


def test_the_choice_is_what_workers_serve_from_then_on(
    settings: Settings, frames: TuningFrames, measures: Measures
) -> None:
    measures(report(FLOAT, INT8))
    tuning = tuned(settings, frames)
    assert tuning.chosen is not None
    assert tuning.chosen.name == "openvino int8, 2 streams of 4 frames"
    assert (tuning.calibration_frames, tuning.held_out_frames, tuning.frames_from) == (30, 20, frames.source)
    setup = tuned_setup(model_of(settings), tuning.digest)
    assert setup is not None
    assert (setup.runtime, setup.precision, setup.streams, setup.frames) == ("openvino", "int8", 2, 4)
    assert setup.artifact is not None
    assert (setup.artifact / "model.bin").read_bytes() == b"8"


def test_another_setting_or_a_lost_artifact_finds_no_choice(
    settings: Settings, frames: TuningFrames, measures: Measures
) -> None:
    measures(report(FLOAT, INT8))
    tuning = tuned(settings, frames)
    stricter = model_of(settings).model_copy(update={"min_agreement": 0.999})
    assert tuned_setup(stricter, tuning.digest) is None
    setup = tuned_setup(model_of(settings), tuning.digest)
    assert setup is not None
    assert setup.artifact is not None
    (setup.artifact / "model.bin").unlink()
    setup.artifact.rmdir()
    assert tuned_setup(model_of(settings), tuning.digest) is None


def test_a_new_measurement_replaces_the_artifact_and_nothing_else_is_left_in_the_cache(
    settings: Settings, frames: TuningFrames, measures: Measures
) -> None:
    measures(report(FLOAT, INT8))
    tuned(settings, frames)
    measures(report(FLOAT, INT8).replace("b'8'", "b'9'"))
    tuned(settings, frames)
    left = sorted(path.name for path in order_in(settings).cache.iterdir() if path.suffix != ".lock")
    assert len(left) == 2, left
    setup = tuned_setup(model_of(settings), order_in(settings).digest)
    assert setup is not None
    assert setup.artifact is not None
    assert (setup.artifact / "model.bin").read_bytes() == b"9"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Lets the time limit pass as soon as a file is there, and not before."""
    require_time = TuningProcess._require_time

    def put(file: Path) -> None:
        def until(process: TuningProcess, deadline_s: float, what: str) -> None:
            found = [*file.parent.glob(file.name)]
            require_time(process, 0.0 if found else deadline_s + 1e6, what)

        monkeypatch.setattr(TuningProcess, "_require_time", until)

    return put


def test_a_measurement_that_hangs_is_killed_and_what_it_measured_decides(
    settings: Settings, frames: TuningFrames, measures: Measures, impatient: Callable[[Path], None]
) -> None:
    measures(report(FLOAT) + "(room.parent / 'reported').touch()\nimport time\ntime.sleep(1e6)\n")
    impatient(order_in(settings).cache / "reported")
    tuning = tuned(settings, frames)
    assert tuning.chosen is not None
    assert tuning.chosen.name == "openvino fp32"
    assert tuning.reason.endswith("measuring it has not returned for 30 s (worker.tune_timeout_s)")


def test_what_a_hanging_measurement_started_ends_with_it(
    settings: Settings, frames: TuningFrames, measures: Measures, impatient: Callable[[Path], None], tmp_path: Path
) -> None:
    held = tmp_path / "held"
    child = f"import fcntl, time; f = open({str(held)!r}, 'w'); fcntl.flock(f, fcntl.LOCK_EX); time.sleep(1e6)"
    measures(f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])\n")
    impatient(held)
    tuned(settings, frames)
    with FileLock(held, timeout=60):  # the kernel gives a dead process's lock back
        pass


def test_a_measurement_that_dies_is_recorded_so_that_not_every_start_dies_of_it(
    settings: Settings, frames: TuningFrames, measures: Measures
) -> None:
    measures("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    tuning = tuned(settings, frames)
    assert tuning.choice is None
    assert tuning.reason == "nothing was measured; measuring it failed: SIGKILL ended it: too little memory?"
    assert read_record(record_path(model_of(settings), tuning.digest)) == tuning
    assert tuned_setup(model_of(settings), tuning.digest) is None


def test_a_report_that_is_damaged_counts_as_none(settings: Settings, frames: TuningFrames, measures: Measures) -> None:
    measures(f"{WRITE}(room / 'candidates.json').write_text('[{{')\n")
    assert tuned(settings, frames).reason == "nothing was measured"


def test_too_few_frames_are_no_reason_to_remember(settings: Settings, measures: Measures) -> None:
    measures("raise AssertionError")
    few = TuningFrames(source="the topic andon.frames", calibration=(Path("0.jpg"),), held_out=())
    with pytest.raises(SkippedError, match=r"^the topic andon\.frames has 1 usable frames, 40 are needed$"):
        tuned(settings, few)
    assert read_record(order_in(settings).record) is None


def test_only_one_process_measures_at_a_time(settings: Settings, frames: TuningFrames) -> None:
    order = order_in(settings)
    order.cache.mkdir()
    with FileLock(order.record.with_suffix(".lock")), pytest.raises(SkippedError, match="another process is measuring"):
        tuned(settings, frames)


def started(settings: Settings) -> list[Event]:
    events: list[Event] = []
    tune_at_start(settings, "default", TuningProcess(LIMIT_S), events.append)
    return events


def with_model(settings: Settings, **changes: Any) -> Settings:
    pool = PoolSettings(model=model_of(settings).model_copy(update=changes))
    return settings.model_copy(update={"pools": {"default": pool}})


def pictures(folder: Path, count: int) -> str:
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:03}.jpg").write_bytes(b"")
    return str(folder)


def test_a_start_measures_once_and_later_starts_serve_the_choice(
    settings: Settings, measures: Measures, tmp_path: Path
) -> None:
    measures(report(FLOAT, INT8))
    ready = with_model(settings, calibration=pictures(tmp_path / "frames", 60))
    events = started(ready)
    assert [one.candidate for one in events if isinstance(one, CandidateMeasured)] == [
        "openvino fp32",
        "openvino int8, 2 streams of 4 frames",
    ]
    assert isinstance(events[-1], ModelTuned)
    assert events[-1].measured_now
    measures("raise AssertionError")
    (again,) = started(ready)
    assert isinstance(again, ModelTuned)
    assert not again.measured_now
    assert again.choice == "openvino int8, 2 streams of 4 frames"


def skipped(events: list[Event]) -> str:
    (reason,) = [event.reason for event in events if isinstance(event, TuningSkipped)]
    return reason


def test_a_start_without_a_broker_or_with_few_pictures_goes_on_and_says_so(
    settings: Settings, measures: Measures, tmp_path: Path
) -> None:
    measures("raise AssertionError")
    assert skipped(started(settings)).startswith("the frames of the topic andon.frames can't be read: ")
    gone = with_model(settings, calibration=str(tmp_path / "gone"))
    assert "no such folder of pictures" in skipped(started(gone))
    few = with_model(settings, calibration=pictures(tmp_path / "few", 3))
    assert "has 3 usable frames, 40 are needed" in skipped(started(few))


def test_a_full_disk_keeps_no_worker_from_starting(
    settings: Settings, measures: Measures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measures(report(FLOAT, INT8))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tuning_module, "write_record", full)
    ready = with_model(settings, calibration=pictures(tmp_path / "frames", 60))
    assert skipped(started(ready)).endswith("cache: No space left on device")
    assert read_record(order_in(ready).record) is None


def test_a_start_that_may_not_measure_serves_what_was_measured_before(
    settings: Settings, frames: TuningFrames, measures: Measures
) -> None:
    never = settings.model_copy(update={"worker": settings.worker.model_copy(update={"tune_timeout_s": 0.0})})
    assert skipped(started(never)) == "worker.tune_timeout_s is 0"
    measures(report(FLOAT, INT8))
    tuned(settings, frames)
    (event,) = started(never)
    assert isinstance(event, ModelTuned)


@pytest.mark.parametrize("changes", [{"precision": "fp32"}, {"precision": "bf16"}])
def test_a_precision_that_is_named_leaves_nothing_to_measure(settings: Settings, changes: dict[str, Any]) -> None:
    assert started(with_model(settings, **changes)) == []


def test_a_stop_ends_the_measurement_and_records_nothing(
    settings: Settings, frames: TuningFrames, measures: Measures
) -> None:
    measures("import time\ntime.sleep(1e6)\n")
    process = TuningProcess(LIMIT_S)
    process.stop()
    with pytest.raises(SkippedError, match="it was stopped"):
        tune(order_in(settings), lambda _: frames, process)
    assert json.dumps([str(path) for path in order_in(settings).cache.glob("*.json")]) == "[]"
