"""Trains the demo model: YOLO26n from scratch, on a CPU, on frames of lines that no clip shows.

The recipe is for a small data set and a small machine: batches of 8 with an optimizer step each (the stock nominal
batch of 64 makes too few steps to learn anything), AdamW, no mosaic (parts never overlap on a belt), bf16 autocast.
A run that was broken off goes on from its last epoch when it is started again.
"""

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sample_streams import dataset, model_card
from sample_streams.spec import CLASSES

_ARCHITECTURE = "yolo26n.yaml"
_PURPOSE = {"train": "learning", "val": "choosing the best epoch", "test": "the metrics below"}


@dataclass(frozen=True, slots=True)
class Training:
    """What a run is made of; `work` holds its pictures and checkpoints and may be deleted afterwards."""

    work: Path
    out: Path
    epochs: int = 18
    train_images: int = 2000
    val_images: int = 200
    test_images: int = 400
    imgsz: int = 320
    threads: int = 1
    seed: int = 1
    told: Callable[[str], None] = field(default=lambda text: None, compare=False)
    """Takes a line for each step before the training."""


def train(run: Training) -> dict[str, Any]:
    """Train, write `run.out` (stripped, fp16) and its model card beside it, and return the card. Blocks for long."""
    data = _data(run)
    trained = run.work / "trained.pt"
    if not trained.exists():  # a finished run can't be resumed, only measured again
        _fit(run, data)
        shutil.copyfile(_checkpoints(run) / "best.pt", trained)
    _release(trained, run.out)
    return validate(run)


def validate(run: Training) -> dict[str, Any]:
    """Measure the weights at `run.out` on the test split with the NMS-free head; write and return the card."""
    metrics = _measure(run, _data(run))
    card = model_card.describe(run.out, model_card.Made(_facts(run), metrics))
    model_card.path_of(run.out).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return card


def _data(run: Training) -> Path:
    return dataset.build(run.work / "dataset", _splits(run), run.told)


def _splits(run: Training) -> tuple[dataset.Split, ...]:
    return dataset.splits(run.train_images, run.val_images, run.test_images)


def _yolo(run: Training, weights: str) -> Any:  # ultralytics has no types
    # a second's worth of torch, which the other commands of this package do without
    from workers.runtimes.ultralytics_model import import_ultralytics  # noqa: PLC0415

    return import_ultralytics(run.work).YOLO(weights)


def _checkpoints(run: Training) -> Path:
    return run.work / "run" / "weights"


def _fit(run: Training, data: Path) -> None:
    last = _checkpoints(run) / "last.pt"
    model = _yolo(run, str(last) if last.exists() else _ARCHITECTURE)
    model.add_callback("on_train_start", lambda trainer: _quicken(trainer, run.threads))
    if last.exists():
        model.train(resume=True)
    else:
        model.train(data=str(data), **_recipe(run))


def _release(trained: Path, out: Path) -> None:
    """Write the weights without what the training noted about its machine: paths, repository, every setting."""
    import torch  # noqa: PLC0415 - not before the environment is set

    checkpoint: dict[str, Any] = torch.load(trained, map_location="cpu", weights_only=False)
    kept = {key: checkpoint[key] for key in ("model", "epoch", "version", "license", "docs")}
    kept["train_args"] = {"task": "detect", "model": _ARCHITECTURE, "imgsz": checkpoint["train_args"]["imgsz"]}
    kept["model"].args = kept["train_args"]
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.save(kept, out)


def _quicken(trainer: Any, threads: int) -> None:
    import torch  # noqa: PLC0415 - not before the environment is set

    # ultralytics offers both for GPUs only. On a CPU its plain autocast means bf16 (its check of it needs the net).
    # Measured on one AMX core, a step of 8: fp32 0.55 s, bf16 0.42 s, bf16 with channels_last 0.32 s.
    trainer.amp = True
    trainer.model.to(memory_format=torch.channels_last)
    torch.set_num_threads(threads)


def _recipe(run: Training) -> dict[str, Any]:
    return {
        "epochs": run.epochs, "imgsz": run.imgsz, "rect": True, "batch": 8, "nbs": 8, "device": "cpu", "workers": 0,
        "optimizer": "AdamW", "lr0": 1e-3, "cos_lr": True, "warmup_epochs": 1.0, "amp": False, "cache": "ram",
        "mosaic": 0.0, "close_mosaic": 0, "scale": 0.2, "translate": 0.1, "degrees": 0.0, "fliplr": 0.5, "flipud": 0.5,
        "erasing": 0.0, "hsv_h": 0.01, "hsv_s": 0.2, "hsv_v": 0.3, "nms": False, "seed": run.seed,
        "project": str(run.work.resolve()), "name": "run", "exist_ok": True, "plots": False, "verbose": False,
    }  # fmt: skip


def _measure(run: Training, data: Path) -> dict[str, Any]:
    model = _yolo(run, str(run.out))
    found = model.val(
        data=str(data), split="test", imgsz=run.imgsz, rect=True, batch=8, nms=False, device="cpu", workers=0,
        plots=False, verbose=False, project=str(run.work.resolve()), name="val", exist_ok=True,
    )  # fmt: skip
    by_class = {
        CLASSES[number]: {"mAP50": round(float(found.box.ap50[i]), 4), "mAP50-95": round(float(found.box.ap[i]), 4)}
        for i, number in enumerate(found.box.ap_class_index)
    }
    overall = {"mAP50": float(found.box.map50), "mAP50-95": float(found.box.map)}
    overall |= {"precision": float(found.box.mp), "recall": float(found.box.mr)}
    return {"head": "NMS-free", "overall": {key: round(value, 4) for key, value in overall.items()}, "class": by_class}


def _duration_s(run: Training) -> int:
    """How long the epochs took, by ultralytics' own table; of a run that was broken off, since it went on."""
    with (run.work / "run" / "results.csv").open(encoding="utf-8", newline="") as table:
        return round(float([row["time"] for row in csv.DictReader(table, skipinitialspace=True)][-1]))


def _facts(run: Training) -> dict[str, Any]:
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
