"""Masks become outlines: in the right place, of few points, and none where there is nothing."""

import cv2
import numpy as np
import pytest

from andon.messages import MAX_POLYGON
from workers.outlines import outline

CANVAS = (128, 160)
ALL = np.array([0, 0, 160, 128], np.float32)
ONE = np.ones(1, np.float32)


def prototype(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    """(1, 32, 40): above zero in these boxes, given in its own pixels."""
    plane = np.full((1, 32, 40), -1, np.float32)
    for x1, y1, x2, y2 in boxes:
        plane[0, y1:y2, x1:x2] = 1
    return plane


def test_an_outline_goes_round_its_mask_in_canvas_pixels() -> None:
    points = outline(ONE, prototype((10, 5, 20, 15)), ALL, CANVAS)
    assert points is not None
    assert points.min(axis=0) == pytest.approx([40, 20], abs=1)
    assert points.max(axis=0) == pytest.approx([80, 60], abs=1)
    assert cv2.contourArea(points) == pytest.approx(40 * 40, rel=0.06)


def test_a_mask_ends_at_its_detections_box() -> None:
    points = outline(ONE, prototype((0, 0, 40, 32)), np.array([33.5, 17.5, 61.5, 45.5], np.float32), CANVAS)
    assert points is not None
    assert points.min(axis=0).tolist() == [34.5, 18.5]
    assert points.max(axis=0).tolist() == [61.5, 45.5]


def test_the_largest_part_is_outlined() -> None:
    points = outline(ONE, prototype((2, 2, 6, 6), (20, 10, 30, 20)), ALL, CANVAS)
    assert points is not None
    assert points.min(axis=0) == pytest.approx([80, 40], abs=1)


def test_a_mask_of_a_box_equals_that_part_of_the_whole_canvas() -> None:
    """The scaling sees the prototype beside the box: nothing changes at the cut."""
    random = np.random.default_rng(1)
    prototypes = cv2.GaussianBlur(random.normal(size=(32, 40, 8)).astype(np.float32), (7, 7), 0).transpose(2, 0, 1)
    weights = random.normal(size=8).astype(np.float32)
    whole = cv2.resize((weights @ prototypes.reshape(8, -1)).reshape(32, 40), (160, 128)) > 0
    box = np.array([21, 13, 118, 97], np.float32)
    points = outline(weights, np.ascontiguousarray(prototypes), box, CANVAS)
    assert points is not None
    drawn = np.zeros(CANVAS, np.uint8)
    cv2.fillPoly(drawn, [np.round(points - 0.5).astype(np.int32)], 1)
    cut = np.zeros(CANVAS, np.uint8)
    cut[13:97, 21:118] = whole[13:97, 21:118]
    contours, _ = cv2.findContours(cut, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    wanted = np.zeros(CANVAS, np.uint8)
    cv2.drawContours(wanted, [max(contours, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    assert (drawn & wanted).sum() / (drawn | wanted).sum() > 0.95


def test_a_ragged_mask_has_no_more_points_than_travel() -> None:
    plane = np.full((1, 32, 40), -1, np.float32)
    plane[0, ::2] = 1
    plane[0, :, 3:6] = 1
    points = outline(ONE, plane, ALL, CANVAS)
    assert points is not None
    assert 3 <= len(points) <= MAX_POLYGON


@pytest.mark.parametrize("box", [(5, 5, 5, 60), (5.2, 5, 5.9, 60), (-40, -40, -10, -10), (300, 300, 400, 400)])
def test_a_box_without_pixels_has_no_outline(box: tuple[float, ...]) -> None:
    assert outline(ONE, prototype((0, 0, 40, 32)), np.array(box, np.float32), CANVAS) is None


def test_an_empty_mask_has_no_outline() -> None:
    assert outline(ONE, prototype(), ALL, CANVAS) is None


def test_a_mask_that_is_no_number_is_an_error() -> None:
    with pytest.raises(ValueError, match="not finite"):
        outline(ONE, prototype() * np.float32("nan"), ALL, CANVAS)
