"""Which speed of the model to plan with: the measured one of the same model and GPU, else the published one. Pure."""

import re
from pathlib import PurePath

from andon.errors import ConfigError
from deploy.sizing.costs import ModelSpeed, measured_speed, published_speed
from deploy.sizing.measured import BenchFigures, MachineFigures
from deploy.sizing.published import CPU, GPUS, MODELS, PUBLISHED_IMGSZ


def chosen_speed(model: str | None, gpu: str | None, imgsz: int | None, bench: BenchFigures | None) -> ModelSpeed:
    """None stands for the measured one. Raises ConfigError, one line, for a name that nobody has published."""
    model, gpu = _plain(model), gpu.lower() if gpu else None
    if bench is not None and bench.model is not None:
        same = model in (None, _plain(bench.model.weights)) and imgsz in (None, bench.model.imgsz)
        if same and gpu in (None, gpu_of(bench.machine, on_gpu=bench.model.on_gpu)):
            return measured_speed(bench.model)
    known = {"--model": (model, list(MODELS)), "--gpu": (gpu, [*GPUS, CPU])}
    for option, (name, names) in known.items():
        if name not in names:
            reason = "not given" if name is None else f"{name}: nobody has published it"
            raise ConfigError(
                f"{option}: {reason}; known: {', '.join(names)}, or --measured with the same model and GPU"
            )
    assert model is not None
    assert gpu is not None
    speed = published_speed(model, gpu, imgsz or PUBLISHED_IMGSZ)
    if speed is None:
        raise ConfigError(
            f"--model {model}: nobody has published it on a CPU: name a --gpu, or measure it by `andon bench`"
        )
    return speed


def gpu_of(machine: MachineFigures, *, on_gpu: bool) -> str | None:
    """The name of the measured GPU in the table; None: it is not there."""
    if not on_gpu:
        return CPU
    words = re.split(r"[\s-]+", machine.gpu.lower())
    return next((name for name in GPUS if name in words), None)


def _plain(weights: str | None) -> str | None:
    """`models/yolo26s.pt` -> `yolo26s`."""
    return PurePath(weights).stem.lower() if weights else None
