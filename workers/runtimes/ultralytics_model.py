"""Opens a .pt with ultralytics, but keeps ultralytics off the network."""

import importlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from PIL import Image

from andon.errors import ConfigError
from workers.runtimes.torchvision_shim import ensure_torchvision
from workers.task import CHANNELS, PLAIN, Head, read_head, require_channels


@dataclass(frozen=True, slots=True)
class YoloModel:
    """A YOLO or RT-DETR model on the CPU, in fp32, its NMS-free head switched on where it has one."""

    model: Any
    """An ultralytics DetectionModel (the other tasks' and RT-DETR's are subclasses of it), in eval mode."""
    yolo: Any
    """ultralytics' wrapper of the same model, which exports it."""
    classes: tuple[str, ...]
    imgsz: int
    """The size that it was trained at, in pixels."""
    nms_free: bool
    head: Head = PLAIN


def import_ultralytics(cache: Path) -> Any:
    """The module, kept off the network. Its own settings lie below `cache`.

    By default it looks up hosts at import, posts analytics, installs packages and downloads weights. A line has no
    internet, and runs only what was deployed.
    """
    home = cache / "ultralytics"
    home.mkdir(parents=True, exist_ok=True)
    os.environ |= {"YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "false", "YOLO_VERBOSE": "false"}
    os.environ.setdefault("YOLO_CONFIG_DIR", str(home))
    threads, open_image = torch.get_num_threads(), Image.open
    with FileLock(home / "lock"):  # its settings file is written at import, by every worker that starts
        ensure_torchvision()
        ultralytics: Any = importlib.import_module("ultralytics")  # after the environment says offline

        ultralytics.settings.update({"sync": False})
    torch.set_num_threads(threads)
    Image.open = open_image  # ultralytics puts one in its place that installs packages on a broken picture
    return ultralytics


def open_weights(weights: Path, cache: Path, named: str) -> YoloModel:
    """Load `weights`. That runs the code in the file, so check its digest first.

    Raises:
        UnknownTaskError: the model's task is not served.
        ConfigError: the file is not such a model. `named` begins each message: the user's key and file.
    """
    ultralytics = import_ultralytics(cache)
    try:
        yolo = ultralytics.YOLO(str(weights))
        model, names = yolo.model, yolo.names
    except Exception as error:  # whatever a pickle may raise
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ConfigError(f"{named}: not a YOLO model that ultralytics opens: {reason}") from None
    last = model.model[-1] if hasattr(model, "model") else None
    head = read_head(_metadata(yolo, last), named)
    if not isinstance(last, (ultralytics.nn.modules.Detect, ultralytics.nn.modules.RTDETRDecoder)):
        raise ConfigError(f"{named}: a model that ends in {type(last).__name__}; one of YOLO or RT-DETR is needed")
    channels = next((weight.shape[1] for weight in model.parameters() if weight.ndim == 4), CHANNELS)
    require_channels(channels, named)
    if len(names) < int(getattr(last, "nc", 0)):
        raise ConfigError(f"{named}: a model of {last.nc} classes that names {len(names)}")
    model = model.float().eval()
    nms_free = getattr(last, "one2one_cv2", None) is not None
    if nms_free:
        model.end2end = True
    classes = tuple(str(names[index]) for index in sorted(names))
    return YoloModel(model, yolo, classes, _trained_imgsz(yolo), nms_free, head)


def _metadata(yolo: Any, last: Any) -> dict[str, Any]:
    """The metadata that an export of the model would carry."""
    names = getattr(yolo.model, "kpt_names", None)
    kind = type(last).__name__
    stride = int(max(yolo.model.stride)) if hasattr(yolo.model, "stride") else None
    shape = getattr(last, "kpt_shape", None)
    return {"task": yolo.task, "head": kind, "stride": stride, "kpt_shape": shape, "kpt_names": names}


def _trained_imgsz(yolo: Any) -> int:
    saved = (yolo.ckpt or {}).get("train_args", {}).get("imgsz", 640)
    return max(saved) if isinstance(saved, (list, tuple)) else int(saved)
