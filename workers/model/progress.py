"""Says how far long work is: on a terminal at once, elsewhere (a log, a pipe) in a line every SAY_EVERY_S seconds."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Say = Callable[[str], None]
SAY_EVERY_S = 30.0
LOOK_S = 5.0
"""Interval between two looks at work that calls nobody, such as reading pictures or one long step."""


@dataclass(slots=True)
class ReportPace:
    """Lets a line through if none has passed for SAY_EVERY_S. It travels to the process of each GPU: plain values."""

    say: Say
    clock: Callable[[], float] = time.monotonic
    last_line_s: float | None = None

    def __post_init__(self) -> None:
        self.last_line_s = self.clock()

    def tick(self, describe: Callable[[], str]) -> None:
        now_s = self.clock()
        if self.last_line_s is None or now_s - self.last_line_s >= SAY_EVERY_S:
            self.last_line_s = now_s
            self.say(describe())


@dataclass(slots=True)
class TrainingProgress:
    """What ultralytics' callbacks tell of a training."""

    say: Say
    terminal: bool
    clock: Callable[[], float] = time.monotonic
    doing: str = "reading the pictures, then timing a step"
    epoch: int = 0
    """From 1. 0: no step is done yet."""
    epochs: int = 0
    step: int = 0
    """Of the epoch, from 1."""
    steps: int = 0
    done: int = 0
    """Steps since this process began."""
    began_s: float | None = None
    trained: bool = False
    pace: ReportPace = field(init=False)

    def __post_init__(self) -> None:
        self.pace = ReportPace(self.say, self.clock)

    def callbacks(self) -> dict[str, Callable[[Any], None]]:
        """For ultralytics, by the name of its event."""
        return {
            "on_train_epoch_start": self.start_epoch,
            "on_train_batch_end": self.end_step,
            "on_train_epoch_end": self.end_epoch,
            "on_val_start": self.start_validation,
            "on_val_batch_end": lambda _: self.tick(),
            "on_fit_epoch_end": self.show_epoch,
        }

    def start_epoch(self, trainer: Any) -> None:
        self.began_s = self.clock() if self.began_s is None else self.began_s
        self.doing, self.step = "training", 0
        self.epoch, self.epochs, self.steps = trainer.epoch + 1, trainer.epochs, len(trainer.train_loader)

    def end_step(self, _: Any) -> None:
        self.step += 1
        self.done += 1
        if self.terminal:
            sys.stderr.write(f"\r{self.line()}\033[K\r")
            sys.stderr.flush()
        else:
            self.tick()

    def end_epoch(self, _: Any) -> None:
        self.trained = True

    def start_validation(self, _: Any) -> None:
        self.doing = "validating"

    def show_epoch(self, trainer: Any) -> None:
        """One line an epoch."""
        if not self.trained:  # the last validation calls it again
            return
        self.trained = False
        found = trainer.metrics or {}
        losses = " ".join(f"{name} {value:.3f}" for name, value in trainer.label_loss_items(trainer.tloss).items())
        self.pace.last_line_s = self.clock()
        self.say(
            f"epoch {trainer.epoch + 1}/{trainer.epochs}  {losses.replace('train/', '')}  "
            f"mAP50 {found.get('metrics/mAP50(B)', 0.0):.3f}  mAP50-95 {found.get('metrics/mAP50-95(B)', 0.0):.3f}"
            f"  {trainer.epoch_time:.0f} s"
        )

    def tick(self) -> None:
        """Say a line if it is time for one. Any thread."""
        if not self.terminal:
            self.pace.tick(self.line)

    def line(self) -> str:
        if not self.epoch:
            return self.doing
        where = f"epoch {self.epoch}/{self.epochs}  step {self.step}/{self.steps}"
        if self.doing != "training":
            where = f"epoch {self.epoch}/{self.epochs}  {self.doing}"
        return f"{where}  {self._estimate()}"

    def _estimate(self) -> str:
        """Of the time to the end, from all steps so far; after the first epoch it has the validations in it."""
        if not self.done or self.began_s is None:
            return "the first step is not done yet"
        each_s = (self.clock() - self.began_s) / self.done
        left = (self.epochs - self.epoch + 1) * self.steps - self.step
        return f"{each_s:.2f} s a step, about {span(left * each_s)} left"


def span(seconds: float) -> str:
    """`40 s`, `12 min`, `3 h 5 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


@contextmanager
def heartbeat(tick: Callable[[], None]) -> Iterator[None]:
    """Call `tick` from a thread every LOOK_S: one step, or reading the pictures, may take longer than SAY_EVERY_S."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(LOOK_S):
            tick()

    thread = threading.Thread(target=beat, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
