"""Loads the model for the peers through ultralytics' own API; no code of Andon's handles their frames."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from andon.settings import ModelSettings
from bench.harness import clips
from sample_streams import model_card
from workers.runtimes.cache import cached_export
from workers.runtimes.ultralytics_model import import_ultralytics

PREDICT_OPTIONS = {"imgsz": clips.IMGSZ, "conf": clips.CONFIDENCE, "nms": False, "verbose": False}
"""The same options as Andon's: the NMS-free head, the same size and threshold."""


def cache() -> Path:
    return Path(ModelSettings().cache).expanduser()


def model_path(kind: str) -> Path:
    """`pt`: the weights. `same`: the exported model that Andon's worker serves."""
    if kind == "pt":
        return clips.MODEL
    digest = model_card.digest(clips.MODEL).removeprefix("sha256:")
    return cached_export(clips.MODEL, digest, cache(), str(clips.MODEL))


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
