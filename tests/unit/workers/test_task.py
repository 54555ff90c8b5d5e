"""A model's metadata and the head that it describes."""

import pytest

from andon.errors import ConfigError
from workers.task import PLAIN, Head, UnknownTaskError, read_head


def test_a_model_that_only_detects_is_plain() -> None:
    assert read_head({"task": "detect"}, "weights") == PLAIN
    assert read_head({"task": "detect", "head": "Detect", "kpt_shape": None, "kpt_names": None}, "weights") == PLAIN


def test_rt_detr_is_known_by_its_head() -> None:
    assert read_head({"task": "detect", "head": "RTDETRDecoder"}, "weights").queries


@pytest.mark.parametrize("task", ["segment", "obb"])
def test_the_other_tasks_are_known_by_name(task: str) -> None:
    assert read_head({"task": task, "head": "Whatever"}, "weights").task == task


def test_a_pose_models_keypoints_have_number_values_and_names() -> None:
    metadata = {"task": "pose", "kpt_shape": [2, 3], "kpt_names": {0: ["heel", "toe"], 1: ["one too few"]}}
    assert read_head(metadata, "weights") == Head("pose", False, 2, 3, {0: ("heel", "toe")})
    assert read_head({"task": "pose", "kpt_shape": (2, 2)}, "weights") == Head("pose", False, 2, 2)


@pytest.mark.parametrize("shape", [None, 17, [17], [17, 4], [0, 3], [257, 3], ["a", 3]])
def test_keypoints_that_make_no_sense_are_reported_in_one_line(shape: object) -> None:
    with pytest.raises(ConfigError) as caught:
        read_head({"task": "pose", "kpt_shape": shape}, "weights: m.pt")
    assert str(caught.value).startswith("weights: m.pt: a pose model ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "metadata", [{"task": "classify", "head": "Classify"}, {"task": "depth"}, {"task": "nonsense"}]
)
def test_an_unknown_task_is_an_error_of_its_own_in_one_line(metadata: dict[str, str]) -> None:
    with pytest.raises(UnknownTaskError) as caught:
        read_head(metadata, "weights: m.pt")
    message = str(caught.value)
    assert message.startswith(f"weights: m.pt: a {metadata['task']}")
    assert message.endswith("the tasks that are served are detect, segment, pose and obb")
    assert "\n" not in message
