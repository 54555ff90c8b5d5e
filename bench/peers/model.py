"""How the peers load the model: ultralytics' own front door, with nothing of Andon's in the way of a frame."""

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

ASK = {"imgsz": clips.IMGSZ, "conf": clips.CONFIDENCE, "nms": False, "verbose": False}
"""The same question as Andon's: the NMS-free head that is served, the same size and threshold."""


def cache() -> Path:
    return Path(ModelSettings().cache).expanduser()


def model_path(kind: str) -> Path:
    """`pt`: the weights; `same`: the very folder that Andon's worker serves them from."""
    if kind == "pt":
        return clips.MODEL
    digest = model_card.digest(clips.MODEL).removeprefix("sha256:")
    return cached_export(clips.MODEL, digest, cache(), str(clips.MODEL))


@contextmanager
def yolo(kind: str) -> Iterator[Any]:
    """`ultralytics.YOLO` of the model, off the network."""
    path = model_path(kind)
    with tempfile.TemporaryDirectory() as folder:
        if path.is_dir():  # ultralytics tells the format by the folder's name
            named = Path(folder) / "andon_openvino_model"
            named.symlink_to(path)
            path = named
        yield import_ultralytics(cache()).YOLO(str(path), task="detect")


def use_threads(count: int) -> None:
    """0: as ultralytics sets them, which is what its documentation shows. Call it after the first prediction."""
    if count:
        import torch  # noqa: PLC0415 - only a peer that predicts needs it

        torch.set_num_threads(count)


def first(model: Any) -> None:
    """One prediction, so that everything is loaded."""
    import numpy as np  # noqa: PLC0415 - beside the model

    model.predict(np.zeros((480, 640, 3), np.uint8), **ASK)
