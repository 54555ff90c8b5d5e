"""Trains a model with ultralytics on a dataset in YOLO format, on a CPU or on one or several GPUs.

The recipe is for small data sets of parts on a belt: an optimizer step for each batch (with the stock nominal batch of
64 there are too few steps to learn anything in the first epochs), AdamW, and no mosaic, because parts do not overlap.
An interrupted run continues from its last epoch when it is started again.
"""

import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from andon.errors import ConfigError, FatalError
from andon.process.machine import cores
from workers.model.arithmetic import fastest, step_timer
from workers.model.dataset import Dataset, Sample, read_dataset, samples, write_dataset
from workers.model.layout import labels_of
from workers.model.progress import Say, TrainingProgress, heartbeat
from workers.runtimes.ultralytics_model import import_ultralytics
from workers.runtimes.ultralytics_pictures import require_readable, use_the_lines_reader

LEARNING: dict[str, Any] = {
    "optimizer": "AdamW", "lr0": 1e-3, "cos_lr": True, "warmup_epochs": 1.0, "rect": True, "nms": False,
    "mosaic": 0.0, "close_mosaic": 0, "scale": 0.2, "translate": 0.1, "degrees": 0.0, "fliplr": 0.5, "flipud": 0.5,
    "erasing": 0.0, "hsv_h": 0.01, "hsv_s": 0.2, "hsv_v": 0.3,
}  # fmt: skip
"""The recipe on any device. `nms: False`: the NMS-free head, which is served, decides which epoch is best."""
CPU_BATCH, GPU_BATCH = 8, 32
QUIET: dict[str, Any] = {"plots": False, "verbose": False, "exist_ok": True}
FONTS = ("Arial.ttf", "Arial.Unicode.ttf")
Callbacks = Mapping[str, Callable[[Any], None]]


@dataclass(frozen=True, slots=True)
class Training:
    """One training: the model, the data and its length."""

    data: Path
    out: Path
    """A folder. `run` in it holds the checkpoints; the trained weights bear the folder's name."""
    model: str = "yolo26n.yaml"
    """An architecture of ultralytics, to train from scratch, or a .pt to begin with."""
    epochs: int = 50
    imgsz: int = 320
    batch: int | None = None
    device: str = "auto"
    """auto, cpu, or GPUs by their numbers: `0`, or `0,1` for both."""
    threads: int | None = None
    """On a CPU. None: one for each core."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """More settings of ultralytics. They override the recipe's."""

    @property
    def weights(self) -> Path:
        return self.out / f"{self.out.resolve().name}.pt"

    @property
    def run(self) -> Path:
        return self.out / "run"


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A finished run."""

    weights: Path
    facts: dict[str, Any]


def train(training: Training, cache: Path, *, resume: bool = False, say: Say = lambda text: None) -> TrainedModel:
    """Train, or continue, and write `training.weights`, stripped of every trace of this machine. Blocks for hours.

    Raises:
        ConfigError: no such dataset, model or device, or `out` holds another run.
        FatalError: the GPU has too little memory.
    """
    dataset = read_dataset(training.data)
    for split in ("train", "val"):
        _require_trainable(samples(dataset, split))
    import_ultralytics(cache)
    training = begin(training, resume)
    state = training.out / "train.json"
    if not (best := training.run / "weights" / "best.pt").exists() or not _through(training):
        fit(training, write_dataset(dataset, training.out), cache, say)
    release(best, training.weights, training.model)
    state.write_text(json.dumps({"asked": _options(training), "done": True}, indent=2) + "\n", encoding="utf-8")
    return TrainedModel(training.weights, _facts(training, dataset))


def _require_trainable(found: Sequence[Sample]) -> None:
    """Raises ConfigError in one line where ultralytics would leave a picture out."""
    mixed = next((sample.path for sample in found if sample.mixed), None)
    if mixed is not None:
        raise ConfigError(
            f"{labels_of(mixed)}: has boxes and polygons: ultralytics trains on one kind only in a picture"
        )


def begin(training: Training, resume: bool) -> Training:
    """The run in `out`, or a new one. Raises ConfigError if `out` holds a run with other settings."""
    state = training.out / "train.json"
    options = _options(training)
    if not state.exists():
        if resume:
            raise ConfigError(f"--resume: there is no run in {training.out}")
        _architecture(training.model)
        training.out.mkdir(parents=True, exist_ok=True)
        state.write_text(json.dumps({"asked": options, "done": False}, indent=2) + "\n", encoding="utf-8")
        return training
    record = json.loads(state.read_text(encoding="utf-8"))
    if resume and not record["done"]:
        return Training(**{**record["asked"], "data": Path(record["asked"]["data"]), "out": training.out})
    other = next((key for key in options if options[key] != record["asked"].get(key)), None)
    if other is not None:
        kind = "a run that is through" if record["done"] else "an unfinished run"
        remedy = "name another --out" if record["done"] else "--resume goes on with it, or name another --out"
        raise ConfigError(
            f"{training.out}: holds {kind} with {other} {record['asked'].get(other)}, not {options[other]}: {remedy}"
        )
    return training


def _options(training: Training) -> dict[str, Any]:
    return asdict(training) | {"data": str(training.data.resolve()), "out": str(training.out.resolve())}


def _architecture(model: str) -> None:
    path = Path(model)
    if path.suffix not in (".pt", ".yaml", ".yml"):
        raise ConfigError(f"--model {model}: expected weights (.pt) or an architecture (yolo26n.yaml)")
    if path.suffix == ".pt" and not path.is_file():
        raise ConfigError(f"--model {model}: no such file; nothing is downloaded: yolo26n.yaml begins from scratch")


def _through(training: Training) -> bool:
    """ultralytics removes the optimizer from the checkpoint of a finished run."""
    last = training.run / "weights" / "last.pt"
    return last.exists() and _checkpoint(last).get("optimizer") is None


def _checkpoint(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=False)
    return loaded


# ---- ultralytics


def fit(training: Training, data: Path, cache: Path, say: Say, extra: Callbacks = MappingProxyType({})) -> None:
    """Train in `training.run`, from its last epoch if there is one. Blocks for long.

    `extra`: more callbacks for ultralytics. They must be functions of a module, because each GPU has its own process.
    """
    device = device_of(training.device)
    last = training.run / "weights" / "last.pt"
    ultralytics = import_ultralytics(cache)
    _with_fonts(ultralytics)
    try:
        yolo = ultralytics.YOLO(str(last) if last.exists() else training.model)
    except (FileNotFoundError, ValueError, KeyError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(f"--model {training.model}: not a model that ultralytics trains: {reason}") from None
    if device == "cpu":
        yolo.add_callback("on_train_start", partial(quicken, threads=training.threads or cores(), say=say))
    yolo.add_callback("on_pretrain_routine_start", use_the_lines_reader)
    yolo.add_callback("on_pretrain_routine_end", require_readable)
    progress = TrainingProgress(say, sys.stderr.isatty())
    for event, callback in [*progress.callbacks().items(), *extra.items()]:
        yolo.add_callback(event, callback)
    if last.exists():
        say(f"going on after epoch {_checkpoint(last)['epoch'] + 1} of {training.epochs}")
    try:
        with heartbeat(progress.tick):
            yolo.train(**({"resume": True} if last.exists() else _arguments(training, data, device)))
    except torch.cuda.OutOfMemoryError:
        raise FatalError(f"the GPU's memory is too small for --batch {_batch(training, device)}: take less") from None


def device_of(name: str) -> str:
    """ultralytics' name for the device. Raises ConfigError for a missing GPU."""
    there = torch.cuda.device_count()
    if name == "auto":
        return "0" if there else "cpu"
    numbers = name.removeprefix("cuda:").replace(" ", "").split(",")
    if name != "cpu" and not all(number.isdecimal() and int(number) < there for number in numbers):
        raise ConfigError(f"--device {name}: this machine shows {there} GPUs; auto, cpu, or their numbers: 0,1")
    return "cpu" if name == "cpu" else ",".join(numbers)


def _arguments(training: Training, data: Path, device: str) -> dict[str, Any]:
    batch = _batch(training, device)
    here = (
        {"amp": False, "workers": 0, "cache": "ram"}
        if device == "cpu"
        else {"amp": "bf16" if _bf16_on_gpu() else False, "workers": min(8, cores())}
    )  # ultralytics checks its own mixed precision with a model that it fetches; bf16 needs no check
    return {
        **LEARNING, **here, **QUIET, "data": str(data), "epochs": training.epochs, "imgsz": training.imgsz,
        "batch": batch, "nbs": batch, "device": device, "project": str(training.out.resolve()), "name": "run",
        **training.settings,
    }  # fmt: skip


def _bf16_on_gpu() -> bool:
    """Whether the GPU computes bf16 itself. Older ones imitate it, more slowly than they compute fp32."""
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def _batch(training: Training, device: str) -> int:
    return training.batch or (CPU_BATCH if device == "cpu" else GPU_BATCH * len(device.split(",")))


def quicken(trainer: Any, threads: int, say: Say) -> None:
    """On a CPU: all threads, and the arithmetic that is fastest on this processor, which ultralytics does not offer."""
    torch.set_num_threads(threads)
    chosen, seconds = fastest(step_timer(trainer.model, trainer.batch_size, _side(trainer.args.imgsz)))
    compared = ", ".join(f"{way} {step_s:.2f} s" for way, step_s in seconds.items() if way != chosen)
    say(f"computing in {chosen}, {seconds[chosen]:.2f} s a step of {trainer.batch_size} ({compared})")
    trainer.amp = chosen.bf16
    if chosen.channels_last:
        trainer.model.to(memory_format=torch.channels_last)


def _side(imgsz: int | Sequence[int]) -> int:
    return imgsz if isinstance(imgsz, int) else max(imgsz)


def _with_fonts(ultralytics: Any) -> None:
    """ultralytics fetches a font for its plots, even without plots, unless a file of that name is in its folder."""
    import matplotlib  # noqa: PLC0415 - ultralytics brings it

    here = Path(ultralytics.utils.USER_CONFIG_DIR)
    font = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    for name in FONTS:
        if not (here / name).exists():
            shutil.copyfile(font, here / name)


# ---- the result


def release(trained: Path, out: Path, architecture: str) -> None:
    """Write the weights without the training's notes on its machine: paths, repository, every setting."""
    checkpoint = _checkpoint(trained)
    kept = {key: checkpoint[key] for key in ("model", "epoch", "version", "license", "docs")}
    arguments = checkpoint["train_args"]
    kept["train_args"] = {
        "task": arguments.get("task") or "detect",
        "model": Path(architecture).name,
        "imgsz": arguments["imgsz"],
    }
    kept["model"].args = kept["train_args"]
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.save(kept, out)


def _facts(training: Training, dataset: Dataset) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "from": Path(training.model).name,
        "data": dataset.path.name,
        "images": {split: len(pictures) for split, pictures in dataset.splits.items()},
        "epochs": training.epochs,
        "imgsz": training.imgsz,
        "batch": _batch(training, device_of(training.device)),
        "device": "cpu" if device_of(training.device) == "cpu" else torch.cuda.get_device_name(0),
        "seconds": _seconds(training.run / "results.csv"),
    }
    return facts | ({"settings": dict(training.settings)} if training.settings else {})


def _seconds(table: Path) -> int | None:
    """Duration of the epochs by ultralytics' own table. Of an interrupted run: since it continued."""
    try:
        header, *rows = [line.split(",") for line in table.read_text(encoding="utf-8").splitlines() if line]
    except (OSError, ValueError):
        return None
    column = [name.strip() for name in header].index("time")
    return round(float(rows[-1][column])) if rows else None
