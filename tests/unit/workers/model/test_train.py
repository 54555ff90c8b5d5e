"""Mistakes that are reported before a training begins, and earlier runs in its folder."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from andon.errors import ConfigError
from workers.model.train import Training, begin, device_of


@pytest.fixture
def training(tmp_path: Path) -> Training:
    return Training(data=tmp_path / "data.yaml", out=tmp_path / "line", epochs=3, settings={"flipud": 0})


def finish(training: Training) -> None:
    state = training.out / "train.json"
    state.write_text(json.dumps(json.loads(state.read_text()) | {"done": True}))


def test_the_weights_have_the_folders_name(training: Training) -> None:
    assert training.weights == training.out / "line.pt"


def test_the_same_command_continues_its_run(training: Training) -> None:
    assert begin(training, resume=False) == training
    assert begin(training, resume=False) == training


def test_a_command_with_other_settings_does_not_continue_the_run(training: Training) -> None:
    begin(training, resume=False)
    with pytest.raises(ConfigError, match="holds an unfinished run with epochs 3, not 4: --resume goes on with it"):
        begin(replace(training, epochs=4), resume=False)
    assert begin(replace(training, epochs=4), resume=True) == training, "as it was begin"


def test_a_finished_run_is_not_overwritten(training: Training) -> None:
    begin(training, resume=False)
    finish(training)
    with pytest.raises(ConfigError, match="holds a run that is through with imgsz 320, not 96: name another --out"):
        begin(replace(training, imgsz=96), resume=False)


def test_resuming_without_a_run_is_refused(training: Training) -> None:
    with pytest.raises(ConfigError, match="--resume: there is no run in"):
        begin(training, resume=True)


@pytest.mark.parametrize(
    ("model", "complaint"),
    [("yolo26n.pt", "no such file; nothing is downloaded"), ("yolo26n", "expected weights .* or an architecture")],
)
def test_a_missing_model_is_not_fetched(training: Training, model: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        begin(replace(training, model=model), resume=False)
    assert not training.out.exists(), "nothing is begin"


@pytest.mark.parametrize("device", ["97", "0,97", "gpu", "cuda:97"])
def test_a_missing_gpu_is_refused(device: str) -> None:
    with pytest.raises(ConfigError, match=f"--device {device}: this machine shows"):
        device_of(device)


def test_the_cpu_is_always_there() -> None:
    assert device_of("cpu") == "cpu"
