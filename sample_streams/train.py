"""Trains the demo model: YOLO26n from scratch, on a CPU, on frames of lines that no clip shows.

The recipe is that of `andon model train`, and `andon model val` prints the same figures, so they are those of the model
that a worker serves. An interrupted run resumes from its last epoch.
"""

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sample_streams import dataset, model_card

_ARCHITECTURE = "yolo26n.yaml"
_PURPOSE = {"train": "learning", "val": "choosing the best epoch", "test": "the metrics below"}


@dataclass(frozen=True, slots=True)
class DemoTraining:
    """The settings of a run; `work` holds its pictures and checkpoints and may be deleted afterwards."""

    work: Path
    out: Path
    epochs: int = 18
    train_images: int = 2000
    val_images: int = 200
    test_images: int = 400
    imgsz: int = 320
    threads: int | None = None
    """None: one for each core."""
    seed: int = 1
    report: Callable[[str], None] = field(default=lambda text: None, compare=False)
    """Called with a line for each step before the training."""


def train(run: DemoTraining) -> dict[str, Any]:
    """Train, write `run.out` (stripped, fp16) and its model card beside it, and return the card. Blocks for long."""
    data = _data(run)
    trained = run.work / "trained.pt"
    if not trained.exists():  # a finished run can't be resumed, only measured again
        _fit(run, data)
        shutil.copyfile(run.work / "run" / "weights" / "best.pt", trained)
    _release(trained, run.out)
    return validate(run)


def validate(run: DemoTraining) -> dict[str, Any]:
    """Measure the weights at `run.out` on the test split with the NMS-free head; write and return the card."""
    metrics = _measure(run, _data(run))
    card = model_card.describe(run.out, model_card.TrainingResult(_facts(run), metrics))
    model_card.path_of(run.out).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return card


def _data(run: DemoTraining) -> Path:
    return dataset.build(run.work / "dataset", _splits(run), run.report)


def _splits(run: DemoTraining) -> tuple[dataset.Split, ...]:
    return dataset.splits(run.train_images, run.val_images, run.test_images)


def _fit(run: DemoTraining, data: Path) -> None:
    # importing torch takes a second; the other commands of this package do not need it
    from workers.model import train as training  # noqa: PLC0415

    settings = training.Training(
        data,
        run.work,
        _ARCHITECTURE,
        run.epochs,
        run.imgsz,
        device="cpu",
        threads=run.threads,
        settings={"seed": run.seed},
    )
    training.fit(settings, data, run.work, run.report)


def _release(trained: Path, out: Path) -> None:
    from workers.model.train import release  # noqa: PLC0415 - as above

    release(trained, out, _ARCHITECTURE)


def _measure(run: DemoTraining, data: Path) -> dict[str, Any]:
    """As torch serves it, on the test split."""
    from workers.model.val import ValOptions, validate  # noqa: PLC0415 - as above

    found = validate(ValOptions(run.out, data, run.work, split="test", runtime="torch", device="cpu")).measured.metrics
    overall = {"mAP50": found.map50, "mAP50-95": found.map50_95, "precision": found.precision, "recall": found.recall}
    by_class = {
        name: {"mAP50": map50, "mAP50-95": found.map50_95_by_class[name]}
        for name, map50 in found.map50_by_class.items()
    }
    return {"head": "NMS-free", "overall": overall, "class": by_class}


def _duration_s(run: DemoTraining) -> int:
    """Duration of the epochs, by ultralytics' table; for a resumed run, since it resumed."""
    with (run.work / "run" / "results.csv").open(encoding="utf-8", newline="") as table:
        return round(float([row["time"] for row in csv.DictReader(table, skipinitialspace=True)][-1]))


def _facts(run: DemoTraining) -> dict[str, Any]:
    return {
        "command": f"python -m sample_streams train --epochs {run.epochs}"
        f" --train-images {run.train_images} --val-images {run.val_images} --test-images {run.test_images}"
        f" --imgsz {run.imgsz}",
        "architecture": "yolo26n, from scratch",
        "imgsz": run.imgsz,
        "epochs": run.epochs,
        "seed": run.seed,
        "training_s": _duration_s(run),
        "data": {
            split.name: {"first_seed": split.first_seed, "images": split.images, "for": _PURPOSE[split.name]}
            for split in _splits(run)
        },
    }
