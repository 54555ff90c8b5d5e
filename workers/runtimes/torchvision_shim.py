"""Make `import torchvision` work beside a CPU-only torch.

Pip installs a CUDA-linked torchvision. Beside a CPU-only torch its import fails, because its compiled operators were
never registered. ultralytics imports torchvision when it predicts, validates or trains, so every loader of a `.pt`
calls `ensure_torchvision()` first. On a machine whose torchvision works, nothing changes.
"""

import importlib
import sys

import torch

_MARK = "andon_operators"
_MISSING_OPERATOR = "operator torchvision::nms does not exist"
_OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def ensure_torchvision() -> bool:
    """Import torchvision, with a substitute for its NMS if, and only if, its compiled operators are missing.

    Returns True if the substitute is in use, False if the real torchvision is. Call it before ultralytics is imported;
    a second call changes nothing. Any other failure of the import is raised unchanged. Never export a model with
    `nms=True` under the substitute: the graph would lack the NMS.
    """
    try:
        return hasattr(importlib.import_module("torchvision"), _MARK)
    except RuntimeError as error:
        if _MISSING_OPERATOR not in str(error):
            raise
    _forget_half_imported()
    _substitute()
    return True


def _substitute() -> None:
    library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call] # torch leaves it untyped
    for schema in _OPERATORS:
        library.define(schema)  # type: ignore[no-untyped-call] # torch leaves it untyped
    torchvision = importlib.import_module("torchvision")
    # The definitions live only as long as their Library object does: the module that needs them keeps it.
    setattr(torchvision, _MARK, library)
    torchvision.ops.nms = nms


def nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """Suppress overlapping boxes in plain torch, with the signature of `torchvision.ops.nms`.

    boxes: (N, 4) float xyxy; scores: (N,) float. Returns the kept indices (int64), best score first.
    """
    # Imported here, since ultralytics must not be imported before the environment that keeps it offline is set.
    from ultralytics.utils.nms import TorchNMS  # noqa: PLC0415

    kept: torch.Tensor = TorchNMS.nms(boxes, scores, iou_threshold)
    return kept


def _forget_half_imported() -> None:
    """Drop the failed import's modules from `sys.modules`, so that the second import starts afresh."""
    for name in [name for name in sys.modules if name == "torchvision" or name.startswith("torchvision.")]:
        del sys.modules[name]
