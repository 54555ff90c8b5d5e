"""The meaning of a model's outputs: its task and its head, read from a .pt or from the metadata of an export.

The one place that knows the tasks. Source: ultralytics 8.4, `nn/modules/head.py` (the outputs of each head) and
`engine/exporter.py` (`metadata`, which each export carries).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

from andon.errors import ConfigError
from andon.messages import MAX_KEYPOINTS

Task = Literal["detect", "segment", "pose", "obb"]
RTDETR = "RTDETRDecoder"
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


PLAIN = Head()


def read_head(said: Mapping[str, Any], named: str) -> Head:
    """The head of a model, from its metadata: `task`, and `head`, `kpt_shape` and `kpt_names` if it has them.

    Raises:
        UnknownTaskError: the task is not served.
        ConfigError: the keypoints make no sense. `named` begins both messages.
    """
    task, kind = str(said["task"]), str(said.get("head") or "")
    if task not in get_args(Task):
        described = f"{task} ({kind})" if kind else task
        served = f"{', '.join(get_args(Task)[:-1])} and {get_args(Task)[-1]}"
        raise UnknownTaskError(f"{named}: a {described} model; the tasks that are served are {served}")
    head = Head(cast(Task, task), kind == RTDETR)
    return head if task != "pose" else _pose(said, named)


def _pose(said: Mapping[str, Any], named: str) -> Head:
    try:
        count, values = (int(number) for number in said["kpt_shape"])
    except (KeyError, TypeError, ValueError):
        raise ConfigError(f"{named}: a pose model that doesn't say how many keypoints it has") from None
    if not 0 < count <= MAX_KEYPOINTS or values not in (2, 3):
        raise ConfigError(f"{named}: a pose model of {count} keypoints x {values}; at most {MAX_KEYPOINTS} x 3 is read")
    return Head("pose", False, count, values, _keypoint_names(said.get("kpt_names"), count))


def _keypoint_names(said: object, count: int) -> dict[int, tuple[str, ...]]:
    """By class. A list whose length differs from the number of keypoints is left out."""
    if not isinstance(said, Mapping):
        return {}
    lists = {int(index): tuple(str(name)[:MAX_NAME] for name in names) for index, names in said.items()}
    return {index: names for index, names in lists.items() if len(names) == count}
