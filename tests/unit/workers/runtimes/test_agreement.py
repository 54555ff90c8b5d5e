"""An export whose shapes differ from its source's is refused with the kind of shape that differs."""

from dataclasses import replace

import numpy as np
import pytest

from workers.detector import Detections
from workers.runtimes.export import disagreement

BOXES = np.array([[0, 0, 100, 100], [200, 0, 300, 50]], np.float32)
SQUARES = np.array([[[0, 0], [100, 0], [100, 100], [0, 100]], [[200, 0], [300, 0], [300, 50], [200, 50]]], np.float32)
POINTS = np.array([[[10, 10, 0.9], [90, 90, 0.1]], [[210, 10, 0.9], [290, 40, 0.9]]], np.float32)
PLAIN = Detections(BOXES, np.array([0.9, 0.8], np.float32), np.array([0, 1], np.int64))
SEGMENTED = replace(PLAIN, polygons=tuple(SQUARES))
ROTATED = replace(PLAIN, corners=SQUARES)
POSED = replace(PLAIN, keypoints=POINTS)


@pytest.mark.parametrize("found", [PLAIN, SEGMENTED, ROTATED, POSED])
def test_the_same_agrees_with_itself(found: Detections) -> None:
    assert disagreement(found, found) == ""


def test_an_outline_in_another_place_is_reported() -> None:
    half = SQUARES[1] * np.array([1, 0.5], np.float32)
    assert disagreement(SEGMENTED, replace(SEGMENTED, polygons=(SQUARES[0], half))).startswith("an outline of class 1")
    assert disagreement(SEGMENTED, replace(SEGMENTED, polygons=(SQUARES[0] + 3, None))) == ""


def test_a_rotated_box_in_another_place_is_reported() -> None:
    diamond = np.array([[50, 0], [100, 50], [50, 100], [0, 50]], np.float32)
    wrong = replace(ROTATED, corners=np.stack([diamond, SQUARES[1]]))
    assert disagreement(ROTATED, wrong).startswith("a rotated box of class 0")


def test_a_keypoint_in_another_place_is_reported_if_the_source_is_sure_of_it() -> None:
    moved = POINTS.copy()
    moved[0, 1, :2] -= 50
    assert disagreement(POSED, replace(POSED, keypoints=moved)) == ""
    moved[1, 1, :2] -= 50
    assert disagreement(POSED, replace(POSED, keypoints=moved)).startswith("a keypoint of class 1")
