"""`andon model prune`: sets weights to zero with torch's own tools, trains on, and reports the effect.

torch's pruning leaves every tensor in its shape. The zeros make a dense runtime no faster and a file no smaller, unless
it is packed. The report measures all of this, so that nobody has to believe it.
"""

import zlib
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Group
from rich.table import Table
from torch.nn.utils import prune as pruning

from andon.errors import ConfigError
from workers.model.dataset import picture, read_dataset, samples, write_dataset
from workers.model.tables import line_yaml
from workers.model.timing import Speed, time_in_turns
from workers.model.train import Training, begin, fit, release
from workers.model.training_manifest import manifest_of
from workers.model.val import ValOptions, ValReport, open_at_least_confidence, validate
from workers.runtimes.manifest import Manifest, ModelMetrics, Source, file_digest, write_manifest
from workers.runtimes.ultralytics_model import open_weights

TIMED = 24
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Pruning:
    weights: Path
    data: Path
    cache: Path
    out: Path
    amount: float = 0.3
    """The part of the convolutions' weights that becomes zero. The head keeps its weights."""
    structured: bool = False
    """True: whole output channels of each convolution, by their L2 norm. False: the smallest single weights of all."""
    epochs: int = 5
    frames: int | None = None
    device: str = "auto"

    @property
    def result(self) -> Path:
        return self.out / f"{self.weights.stem}-pruned.pt"


@dataclass(frozen=True, slots=True)
class PruneRow:
    """One state of the model."""

    name: str
    parameters: int
    zeros: int
    size_bytes: int
    packed_bytes: int
    """Compressed by zlib: the size of a download or of an image's layer."""
    speed: Speed
    metrics: ModelMetrics


@dataclass(frozen=True, slots=True)
class PruneReport:
    weights: Path
    rows: tuple[PruneRow, ...]
    manifest: Manifest


def prune(options: Pruning, say: Say) -> PruneReport:
    """Prune, train on, measure before and after. Blocks for long. Raises ConfigError if either is unusable."""
    if options.weights.suffix != ".pt" or not options.weights.is_file():
        raise ConfigError(f"{options.weights}: expected a YOLO .pt")
    options.out.mkdir(parents=True, exist_ok=True)
    cut = options.out / "cut.pt"
    imgsz = _cut(options, cut)
    say(f"{options.amount:.0%} of the weights are zero now")
    states = [options.weights, cut]
    if options.epochs:
        _train_on(options, cut, imgsz, say)
        states.append(options.result)
    else:
        cut.replace(options.result)
        states[-1] = options.result
    names = ("before", "pruned", "trained on")
    measured = [_measured(options, path, name, say) for path, name in zip(states, names, strict=False)]
    speeds = _speeds(options, states)
    rows = tuple(
        _row(name, path, speed, done.measured.metrics)
        for name, path, speed, done in zip(names, states, speeds, measured, strict=False)
    )
    manifest = _manifest(options, measured[-1], rows[-1])
    cut.unlink(missing_ok=True)
    write_manifest(manifest, options.result)
    return PruneReport(options.result, rows, manifest)


def _cut(options: Pruning, target: Path) -> int:
    """Write the pruned weights. Returns the size that the model was trained at, in pixels."""
    opened_weights = open_weights(options.weights, options.cache, str(options.weights))
    checkpoint = torch.load(options.weights, map_location="cpu", weights_only=False)
    module = checkpoint["model"].float()
    convolutions = _convolutions(module)
    if options.structured:
        for convolution in convolutions:
            pruning.ln_structured(convolution, "weight", options.amount, n=2, dim=0)  # type: ignore[no-untyped-call]
    else:
        chosen = [(convolution, "weight") for convolution in convolutions]
        pruning.global_unstructured(chosen, pruning.L1Unstructured, amount=options.amount)
    for convolution in convolutions:
        pruning.remove(convolution, "weight")  # type: ignore[no-untyped-call]  # the mask becomes part of the weight
    torch.save({**checkpoint, "model": module.half()}, target)
    return opened_weights.imgsz


def _convolutions(module: Any) -> list[torch.nn.Conv2d]:
    """All except the head's, which turn features into numbers: few of those can be spared."""
    body = module.model[:-1]
    return [part for part in body.modules() if isinstance(part, torch.nn.Conv2d) and part.weight.shape[0] > 1]


def _train_on(options: Pruning, cut: Path, imgsz: int, say: Say) -> None:
    """Train, and set the zeros to zero again after each step."""
    settings = {"lr0": 2e-4, "warmup_epochs": 0.0}
    training = Training(
        options.data, options.out, str(cut), options.epochs, imgsz, device=options.device, settings=settings
    )
    state = options.out / "train.json"
    state.unlink(missing_ok=True)
    training = begin(training, resume=False)
    module = torch.load(cut, map_location="cpu", weights_only=False)["model"]
    zeros = {name: value == 0 for name, value in module.state_dict().items() if name.endswith("conv.weight")}
    zeros = {name: mask for name, mask in zeros.items() if mask.any()}
    keep = partial(keep_zeros, zeros=zeros)
    data = write_dataset(read_dataset(options.data), options.out)
    fit(training, data, options.cache, say, {"on_train_batch_end": keep, "on_train_epoch_end": keep})
    release(options.out / "run" / "weights" / "best.pt", options.result, options.weights.name)


def keep_zeros(trainer: Any, zeros: dict[str, torch.Tensor]) -> None:
    """In the model and in its running average, which is the one that is saved."""
    for module in (trainer.model, trainer.ema.ema):
        weights = dict(getattr(module, "module", module).named_parameters())
        with torch.no_grad():
            for name, mask in zeros.items():
                weights[name].masked_fill_(mask.to(weights[name].device), 0)


# ---- the effect


def _measured(options: Pruning, path: Path, name: str, say: Say) -> ValReport:
    say(f"measuring: {name}")
    return validate(ValOptions(path, options.data, options.cache, frames=options.frames, runtime="torch"))


def _speeds(options: Pruning, states: list[Path]) -> list[Speed]:
    """With the runtime that a worker would choose."""
    detectors = [open_at_least_confidence(path, ValOptions(path, options.data, options.cache)) for path in states]
    pictures = [picture(sample.path) for sample in samples(read_dataset(options.data), "val", TIMED)]
    return time_in_turns(detectors, pictures, 4)


def _row(name: str, path: Path, speed: Speed, metrics: ModelMetrics) -> PruneRow:
    module = torch.load(path, map_location="cpu", weights_only=False)["model"]
    parameters = list(deepcopy(module).parameters())
    content = path.read_bytes()
    return PruneRow(
        name,
        sum(parameter.numel() for parameter in parameters),
        sum(int((parameter == 0).sum()) for parameter in parameters),
        len(content),
        len(zlib.compress(content, 6)),
        speed,
        metrics,
    )


def _manifest(options: Pruning, done: ValReport, row: PruneRow) -> Manifest:
    facts = {
        "kind": "structured" if options.structured else "unstructured",
        "amount": options.amount,
        "epochs": options.epochs,
        "parameters": row.parameters,
        "zeros": row.zeros,
    }
    source = Source(file=options.weights.name, digest=file_digest(options.weights))
    return manifest_of(options.result, done, pruning=facts, source=source)


def as_json(result: PruneReport) -> dict[str, Any]:
    rows = [
        {
            "state": row.name,
            "parameters": row.parameters,
            "zeros": row.zeros,
            "bytes": row.size_bytes,
            "packed_bytes": row.packed_bytes,
            "ms_per_frame": row.speed.wall_ms,
            "cpu_ms_per_frame": row.speed.cpu_ms,
            "map50": row.metrics.map50,
            "map50_95": row.metrics.map50_95,
        }
        for row in result.rows
    ]
    return {"weights": str(result.weights), "digest": result.manifest.digest, "rows": rows}


def shown(result: PruneReport) -> Group:
    table = Table("", title=f"{result.weights}", title_justify="left")
    for column in ("M params", "zeros", "MB", "packed", "ms", "CPU ms", "mAP50", "mAP50-95"):
        table.add_column(column, justify="right")
    for row in result.rows:
        table.add_row(
            row.name,
            f"{row.parameters / 1e6:.2f}",
            f"{row.zeros / row.parameters:.1%}",
            f"{row.size_bytes / 1e6:.2f}",
            f"{row.packed_bytes / 1e6:.2f}",
            f"{row.speed.wall_ms:.1f}",
            f"{row.speed.cpu_ms:.1f}",
            f"{row.metrics.map50:.4f}",
            f"{row.metrics.map50_95:.4f}",
        )
    return Group(table, line_yaml(result.weights, result.manifest))
