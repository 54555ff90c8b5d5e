"""What a model's outputs mean: its task and its head, read from a .pt or from what an export says of itself.

The one place that knows the tasks. Source: ultralytics 8.4, `nn/modules/head.py` (what each head returns) and
`engine/exporter.py` (`metadata`: what is written into each export).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

from andon.errors import ConfigError
from andon.messages import MAX_KEYPOINTS

Task = Literal["detect", "segment", "pose", "obb"]
RTDETR = "RTDETRDecoder"
MAX_NAME = 200
"""Characters of a keypoint's name."""


class UnknownTaskError(ConfigError):
    """A model of a task that the workers don't run: it classifies, or estimates depth."""


@dataclass(frozen=True, slots=True)
class Head:
    """The default, PLAIN, is that of a YOLO model that only detects."""

    task: Task = "detect"
    queries: bool = False
    """RT-DETR: boxes come as fractions of the canvas and without duplicates, and pictures are stretched over it."""
    keypoints: int = 0
    """Of a pose model, for each thing found."""
    keypoint_values: int = 3
    """x and y, and with 3 the confidence."""
    keypoint_names: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """By class; empty where the model has none."""


PLAIN = Head()


def read_head(said: Mapping[str, Any], named: str) -> Head:
    """The head of a model that says `task` of itself, and `head`, `kpt_shape` and `kpt_names` where it has them.

    Raises:
        UnknownTaskError: it is not one of those that are served.
        ConfigError: what it says of its keypoints makes no sense. `named` begins both messages.
    """
    task, kind = str(said["task"]), str(said.get("head") or "")
    if task not in get_args(Task):
        told = f"{task} ({kind})" if kind else task
        served = f"{', '.join(get_args(Task)[:-1])} and {get_args(Task)[-1]}"
        raise UnknownTaskError(f"{named}: a {told} model; the tasks that are served are {served}")
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
    """By class; a list that does not fit the number of keypoints is none."""
    if not isinstance(said, Mapping):
        return {}
    lists = {int(index): tuple(str(name)[:MAX_NAME] for name in names) for index, names in said.items()}
    return {index: names for index, names in lists.items() if len(names) == count}
