"""Tiny models of every task and kind of head, built from ultralytics' own YAMLs with random weights that see something.

Nothing is downloaded, nothing is trained. Fresh weights see nothing: their numbers hardly depend on the picture. So the
batch norms are set by noise, as training would set them, and the last layers' weights are made large.
"""

import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import yaml

from andon.pictures.picture import Bgr
from workers.letterbox import on_grid
from workers.runtimes.ultralytics_model import import_ultralytics
from workers.task import STRIDE_PX

MODELS = {
    "detect-p6": "v8/yolov8-p6.yaml",
    "segment-26": "26/yolo26-seg.yaml",
    "segment-11": "11/yolo11-seg.yaml",
    "pose-26": "26/yolo26-pose.yaml",
    "pose-11": "11/yolo11-pose.yaml",
    "obb-26": "26/yolo26-obb.yaml",
    "obb-11": "11/yolo11-obb.yaml",
    "rtdetr": "v8/yolov8-rtdetr.yaml",
}
"""By the task, and whether the head needs NMS (11) or not (26)."""
CLASSES = 3
KEYPOINTS = ("heel", "toe", "lace", "tongue", "sole")
IMGSZ = 160
DISTANCES = 16
"""Of a box's side from its anchor, in the heads that give a distribution (YOLO11)."""
AIMS = {
    r"(one2one_)?cv2\.\d\.2": (2.0, 0.7),
    r"(one2one_)?cv3\.\d\.2": (-2.5, 0.6),
    r"(one2one_)?cv4\.\d\.2": (0.0, 1.0),
    r"enc_score_head|dec_score_head\.\d": (-1.0, 1.0),
    r"(enc_bbox_head|dec_bbox_head\.\d)\.layers\.2": (0.5, 1.0),
}
"""Mean and standard deviation of what last layers say: distances in strides, scores before the sigmoid, the rest."""


def build(name: str, folder: Path, seed: int = 0) -> Path:
    """The weights of one of MODELS, some 100 KB to 1 MB, in `folder`."""
    ultralytics = import_ultralytics(folder)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # layers this small take longer on more, much longer on a busy machine
    torch.manual_seed(seed)
    path = folder / f"{name}.pt"
    family = ultralytics.RTDETR if name == "rtdetr" else ultralytics.YOLO
    yolo = family(str(_shrunken(name, folder, Path(ultralytics.__file__).parent)))
    yolo.model.args |= {"imgsz": IMGSZ}
    _wake(yolo.model)
    if name.startswith("pose"):
        yolo.model.kpt_names = {index: list(KEYPOINTS) for index in range(CLASSES)}
    yolo.ckpt = {"train_args": {"imgsz": IMGSZ}}
    yolo.save(str(path))
    torch.set_num_threads(threads)
    return path


def _shrunken(name: str, folder: Path, package: Path) -> Path:
    """Its YAML, for few classes and narrow layers."""
    model = yaml.safe_load((package / "cfg" / "models" / MODELS[name]).read_text(encoding="utf-8"))
    model |= {"nc": CLASSES, "scales": {"n": [0.33, 0.125, 256]}}
    if name.startswith("pose"):
        model["kpt_shape"] = [len(KEYPOINTS), 3]
    if name == "rtdetr":
        model["head"][-1][-1] = ["nc", 32, 50, 4, 4, 2, 64]
    file = folder / f"tiny-{Path(MODELS[name]).stem.replace('yolo26', 'yolo26n').replace('yolo11', 'yolo11n')}.yaml"
    file.write_text(yaml.safe_dump(model), encoding="utf-8")
    return file


def _wake(model: Any) -> None:
    """Sets the batch norms, then the last layers, so that what each puts out differs as much as it should."""
    side = on_grid(IMGSZ, int(max(model.stride)) if hasattr(model, "stride") else STRIDE_PX)
    halved = [cv2.resize(picture(seed, (2 * side, 2 * side)), (side, side)) for seed in range(90, 94)]
    pixels = torch.from_numpy(np.stack(halved)).permute(0, 3, 1, 2).float() / 255
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    model.train()
    with torch.no_grad():
        model.predict(pixels)
    for norm in norms:
        norm.momentum = 0.03
    model.eval()
    _level(model, pixels)


def _level(model: Any, pixels: torch.Tensor) -> None:
    """Sets the last layers by what they say now. Those of YOLO hear nothing of each other, RT-DETR's little."""
    outputs: dict[Any, torch.Tensor] = {}
    aims: dict[Any, tuple[float, float]] = {}
    hooks: list[Any] = []
    for label, module in model.model[-1].named_modules():
        aim = next((aim for pattern, aim in AIMS.items() if re.fullmatch(pattern, label)), None)
        if aim is None:
            continue
        if not module.weight.any():  # RT-DETR's boxes begin as their anchors
            torch.nn.init.normal_(module.weight, std=0.3)
        aims[module] = aim
        hooks.append(module.register_forward_hook(lambda module, _inputs, output: outputs.update({module: output})))
    with torch.no_grad():
        model.predict(pixels)
    for hook in hooks:
        hook.remove()
    for module, output in outputs.items():
        _rescale(module, output, *aims[module])


def _rescale(module: Any, output: torch.Tensor, mean: float, spread: float) -> None:
    """So that its numbers have this mean and standard deviation."""
    factor = spread / output.std()
    module.weight.data *= factor
    module.bias.data = (module.bias.data - output.mean()) * factor + mean
    if module.weight.shape[0] == 4 * DISTANCES:  # in each direction a distribution: most of it near
        module.bias.data -= torch.arange(4 * DISTANCES) % DISTANCES * 0.8


def picture(seed: int, size: tuple[int, int]) -> Bgr:
    """Blots on noise, for something to differ from place to place."""
    random = np.random.default_rng(seed)
    height, width = size
    coarse = random.integers(0, 255, (max(1, height // 20), max(1, width // 20), 3), dtype=np.uint8)
    big = np.kron(coarse, np.ones((20, 20, 1), np.uint8))[:height, :width]
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[: big.shape[0], : big.shape[1]] = big
    return canvas
