"""The meaning of a model's outputs: its task and its head, read from a .pt or from the metadata of an export.

The one place that knows the tasks. Source: ultralytics 8.4, `nn/modules/head.py` (the outputs of each head) and
`engine/exporter.py` (`metadata`, which each export carries).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast, get_args

from andon.errors import ConfigError
from andon.messages import MAX_KEYPOINTS

Task = Literal["detect", "segment", "pose", "obb"]
RTDETR = "RTDETRDecoder"
STRIDE_PX = 32
"""The stride of most models."""
MAX_STRIDE_PX = 512
CHANNELS = 3
"""Red, green and blue."""
MAX_NAME = 200
"""Longest name of a keypoint, in characters."""


class UnknownTaskError(ConfigError):
    """A model of a task that the workers do not run, such as classification or depth."""


@dataclass(frozen=True, slots=True)
class Head:
    """A model's head. The default, PLAIN, is that of a YOLO model for detection."""

    task: Task = "detect"
    queries: bool = False
    """RT-DETR: boxes are fractions of the canvas, without duplicates, and pictures are stretched over the canvas."""
    keypoints: int = 0
    """Pose models: the number of keypoints of each detection."""
    keypoint_values: int = 3
    """2: x and y. 3: the confidence, too."""
    keypoint_names: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """By class. Empty: the model has none."""
    stride: int = STRIDE_PX
    """The coarsest grid, in pixels: the sides of a canvas are multiples of it. 64 for the models called P6."""


PLAIN = Head()


def read_head(metadata: Mapping[str, Any], named: str) -> Head:
    """The head of a model, from its metadata: `task`, and `head`, `stride`, `channels`, `kpt_shape`, `kpt_names`.

    Raises:
        UnknownTaskError: the task is not served.
        ConfigError: the keypoints, the stride or the channels are not served. `named` begins each message.
    """
    task, kind = str(metadata["task"]), str(metadata.get("head") or "")
    if task not in get_args(Task):
        described = f"{task} ({kind})" if kind else task
        served = f"{', '.join(get_args(Task)[:-1])} and {get_args(Task)[-1]}"
        raise UnknownTaskError(f"{named}: a {described} model; the tasks that are served are {served}")
    require_channels(metadata.get("channels") or CHANNELS, named)
    head = Head(cast(Task, task), kind == RTDETR, stride=_stride(metadata.get("stride"), named))
    return head if task != "pose" else replace(head, **_pose(metadata, named))


def require_channels(count: object, named: str) -> None:
    """Raises ConfigError unless the model takes pictures in colour."""
    if str(count) != str(CHANNELS):
        raise ConfigError(f"{named}: a model of {count} channels; one of {CHANNELS} is needed")


def require_input(sides: Sequence[int | str | None], named: str) -> None:
    """`sides` of a model's input: numbers, or anything else for those that may vary.

    Raises ConfigError unless they are (batch, channels, height, width) of pictures in colour.
    """
    if len(sides) != 4 or not isinstance(sides[1], int) or (sides[1] != CHANNELS and sides[3] == CHANNELS):
        shown = ", ".join(str(side) for side in sides)
        raise ConfigError(f"{named}: a model with the input ({shown}); (batch, {CHANNELS}, height, width) is needed")
    require_channels(sides[1], named)


def _stride(stride_px: Any, named: str) -> int:
    """A model that says nothing has the common one. Raises ConfigError for one that no canvas fits."""
    try:
        stride = (
            max(int(side) for side in stride_px)
            if isinstance(stride_px, (list, tuple))
            else int(stride_px or STRIDE_PX)
        )
    except (TypeError, ValueError):
        stride = 0
    if not 0 < stride <= MAX_STRIDE_PX:
        raise ConfigError(f"{named}: a model of stride {stride_px!r}; one of 1 to {MAX_STRIDE_PX} pixels is needed")
    return stride


def _pose(metadata: Mapping[str, Any], named: str) -> dict[str, Any]:
    """The fields of Head that a pose model has besides."""
    try:
        count, values = (int(number) for number in metadata["kpt_shape"])
    except (KeyError, TypeError, ValueError):
        raise ConfigError(f"{named}: a pose model that doesn't say how many keypoints it has") from None
    if not 0 < count <= MAX_KEYPOINTS or values not in (2, 3):
        raise ConfigError(f"{named}: a pose model of {count} keypoints x {values}; at most {MAX_KEYPOINTS} x 3 is read")
    names = _keypoint_names(metadata.get("kpt_names"), count)
    return {"keypoints": count, "keypoint_values": values, "keypoint_names": names}


def _keypoint_names(metadata: object, count: int) -> dict[int, tuple[str, ...]]:
    """By class. A list whose length differs from the number of keypoints is left out."""
    if not isinstance(metadata, Mapping):
        return {}
    lists = {int(index): tuple(str(name)[:MAX_NAME] for name in names) for index, names in metadata.items()}
    return {index: names for index, names in lists.items() if len(names) == count}
