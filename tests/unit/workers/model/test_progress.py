"""A training in a log says at least every half minute how far it is and how long it will take."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from workers.model import progress
from workers.model.progress import SAY_EVERY_S, TrainingProgress, heartbeat, span


class Run:
    """A training of 3 epochs with 100 steps each, on a clock that the test moves."""

    def __init__(self, terminal: bool = False) -> None:
        self.now_s = 0.0
        self.lines: list[str] = []
        self.shown = TrainingProgress(self.lines.append, terminal, lambda: self.now_s)
        self.trainer = SimpleNamespace(
            epoch=0, epochs=3, train_loader=range(100), metrics={}, tloss=None, epoch_time=50.0,
            label_loss_items=lambda losses: {"train/box": 1.5},
        )  # fmt: skip

    def call(self, event: str, given: Any = None) -> None:
        self.shown.callbacks()[event](given or self.trainer)

    def step(self, count: int, each_s: float) -> None:
        for _ in range(count):
            self.now_s += each_s
            self.call("on_train_batch_end")


def test_a_line_comes_every_half_minute_with_an_estimate() -> None:
    run = Run()
    run.call("on_train_epoch_start")
    run.step(40, each_s=2.0)
    assert run.lines == [
        "epoch 1/3  step 15/100  2.00 s a step, about 10 min left",
        "epoch 1/3  step 30/100  2.00 s a step, about 9 min left",
    ]


def test_a_line_comes_before_the_first_step_ends() -> None:
    run = Run()
    run.now_s = SAY_EVERY_S
    run.shown.tick()
    run.call("on_train_epoch_start")
    run.now_s += SAY_EVERY_S
    run.shown.tick()
    assert run.lines == [
        "reading the pictures, then timing a step",
        "epoch 1/3  step 0/100  the first step is not done yet",
    ]


def test_a_line_comes_while_an_epoch_is_validated() -> None:
    run = Run()
    run.call("on_train_epoch_start")
    run.step(100, each_s=0.1)
    run.call("on_val_start", SimpleNamespace())
    run.now_s = 40.0
    run.call("on_val_batch_end", SimpleNamespace())
    assert run.lines == ["epoch 1/3  validating  0.40 s a step, about 80 s left"]


def test_an_epoch_has_a_line_and_the_last_validation_has_none() -> None:
    run = Run()
    run.call("on_train_epoch_start")
    run.call("on_train_epoch_end")
    run.call("on_fit_epoch_end")
    run.call("on_fit_epoch_end")
    assert run.lines == ["epoch 1/3  box 1.500  mAP50 0.000  mAP50-95 0.000  50 s"]


def test_a_run_that_continues_estimates_from_its_own_steps() -> None:
    run = Run()
    run.trainer.epoch = 2
    run.call("on_train_epoch_start")
    run.step(31, each_s=1.0)
    assert run.lines == ["epoch 3/3  step 30/100  1.00 s a step, about 70 s left"]


def test_a_terminal_sees_each_step_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(terminal=True)
    run.call("on_train_epoch_start")
    run.step(40, each_s=2.0)
    assert run.lines == []
    assert capsys.readouterr().err.count("\r") == 80


def test_the_heartbeat_ticks_while_nobody_calls_and_ends_with_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LOOK_S", 0.001)
    ticked = threading.Event()
    with heartbeat(ticked.set):
        assert ticked.wait(60)
    assert "progress" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize(("seconds", "text"), [(40, "40 s"), (720, "12 min"), (11_100, "3 h 5 min")])
def test_a_span_is_said_in_its_own_unit(seconds: float, text: str) -> None:
    assert span(seconds) == text
