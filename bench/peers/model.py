"""Loads the model for the peers through ultralytics' own API; no code of Andon's handles their frames."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from andon.errors import FatalError
from andon.settings import ModelSettings
from bench.harness import clips
from sample_streams import model_card
from workers.runtimes.cache import ExportKind, cached_export
from workers.runtimes.tuned import tuned_setup
from workers.runtimes.ultralytics_model import import_ultralytics

EXPORTS = ("same", "openvino", "onnx")
PREDICT_OPTIONS = {"imgsz": clips.IMGSZ, "conf": clips.CONFIDENCE, "nms": False, "verbose": False}
"""The same options as Andon's: the NMS-free head, the same size and threshold."""


def cache() -> Path:
    return Path(ModelSettings().cache).expanduser()


def model_path(kind: str) -> Path:
    """`pt`: the weights. `same`: the form that Andon's worker serves. `openvino` and `onnx`: an export in floats.

    Raises FatalError for `same` where Andon serves the .pt itself.
    """
    if kind == "pt":
        return clips.MODEL
    digest = model_card.digest(clips.MODEL).removeprefix("sha256:")
    setup = tuned_setup(ModelSettings(weights=str(clips.MODEL), confidence=clips.CONFIDENCE), digest)
    if kind == "same" and setup is not None and setup.artifact is not None:
        return setup.artifact
    served = kind if setup is None or kind != "same" else setup.runtime
    if served == "torch":
        raise FatalError("Andon serves the .pt itself")
    export_kind = ExportKind("onnx") if served == "onnx" else ExportKind()
    return cached_export(clips.MODEL, digest, cache(), str(clips.MODEL), export_kind)


def has_model(kind: str) -> bool:
    """Whether there is such a form on this machine."""
    try:
        model_path(kind)
    except FatalError:
        return False
    return True


@contextmanager
def yolo(kind: str) -> Iterator[Any]:
    """Open the model as `ultralytics.YOLO`, off the network."""
    path = model_path(kind)
    with tempfile.TemporaryDirectory() as folder:
        if path.is_dir():  # ultralytics takes the format from the folder's name
            named = Path(folder) / "andon_openvino_model"
            named.symlink_to(path)
            path = named
        yield import_ultralytics(cache()).YOLO(str(path), task="detect")


def use_threads(count: int) -> None:
    """Set torch's number of threads; 0 leaves it as ultralytics sets it. Call it after the first prediction."""
    if count:
        import torch  # noqa: PLC0415 - only a peer that predicts needs it

        torch.set_num_threads(count)


def warm_up(model: Any) -> None:
    """Make one prediction, so that everything is loaded."""
    import numpy as np  # noqa: PLC0415 - only where a model is loaded

    model.predict(np.zeros((480, 640, 3), np.uint8), **PREDICT_OPTIONS)
