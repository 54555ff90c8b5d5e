"""What an inspection says of what was found, in the frame's pixels."""

import json
from dataclasses import replace

import numpy as np
import pytest

from andon.messages import Detection
from andon.pictures.picture import DecodedPicture
from workers.detector import Detections, ModelInfo
from workers.task import Head
from workers.to_inspection import to_detections

DECODED = DecodedPicture(np.zeros((50, 100, 3), np.uint8), 200, 100)
"""At half the frame's size."""
FOUND = Detections(
    np.array([[1, 2, 30, 40], [5, 6, 7, 8]], np.float32),
    np.array([0.75, 0.5], np.float32),
    np.array([1, 0], np.int64),
)
SQUARE = np.array([[1, 2], [30, 2], [30, 40], [1, 40]], np.float32)
DOUBLED = [[2.0, 4.0], [60.0, 4.0], [60.0, 80.0], [2.0, 80.0]]


def model(head: Head) -> ModelInfo:
    return ModelInfo("", "fake", "cpu", 320, ("a", "b"), head=head)


def fields(found: Detections, head: Head) -> list[dict[str, object]]:
    return [json.loads(one.model_dump_json()) for one in to_detections(found, model(head), DECODED)]


def test_a_plain_model_gives_label_confidence_and_box_alone() -> None:
    first, second = fields(FOUND, Head())
    assert first == {"label": "b", "confidence": 0.75, "box": {"x1": 2.0, "y1": 4.0, "x2": 60.0, "y2": 80.0}}
    assert second["label"] == "a"


def test_a_detection_has_a_polygon_if_its_mask_has_an_outline() -> None:
    first, second = fields(replace(FOUND, polygons=(SQUARE, None)), Head("segment"))
    assert first["polygon"] == DOUBLED
    assert set(second) == {"label", "confidence", "box"}


def test_a_rotated_box_is_given_by_its_corners() -> None:
    first, second = fields(replace(FOUND, corners=np.stack([SQUARE, SQUARE + 1])), Head("obb"))
    assert first["corners"] == DOUBLED
    assert second["corners"] == [[x + 2, y + 2] for x, y in DOUBLED]


def test_keypoints_have_the_names_that_the_model_has_for_their_class() -> None:
    places = np.array([[[1, 2, 0.25], [3, 4, 0]], [[5, 6, 1], [7, 8, 0.5]]], np.float32)
    head = Head("pose", False, 2, 3, {1: ("heel", "toe")})
    first, second = fields(replace(FOUND, keypoints=places), head)
    assert first["keypoints"] == [
        {"name": "heel", "x": 2.0, "y": 4.0, "confidence": 0.25},
        {"name": "toe", "x": 6.0, "y": 8.0, "confidence": 0.0},
    ]
    assert second["keypoints"] == [{"x": 10.0, "y": 12.0, "confidence": 1.0}, {"x": 14.0, "y": 16.0, "confidence": 0.5}]


def test_keypoints_without_confidences_have_none() -> None:
    places = np.array([[[1, 2]], [[5, 6]]], np.float32)
    first, _ = fields(replace(FOUND, keypoints=places), Head("pose", False, 1, 2))
    assert first["keypoints"] == [{"x": 2.0, "y": 4.0}]


@pytest.mark.parametrize("task", ["detect", "segment", "pose", "obb"])
def test_no_detections_of_the_model_give_none_in_the_inspection(task: str) -> None:
    nothing = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
    assert to_detections(nothing, model(Head(task)), DECODED) == ()  # type: ignore[arg-type]  # a Task


def test_the_detections_fit_into_a_message() -> None:
    assert all(isinstance(one, Detection) for one in to_detections(FOUND, model(Head()), DECODED))
