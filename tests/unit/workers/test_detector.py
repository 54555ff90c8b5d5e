"""Letterboxing and the way back, over a network that finds a marked rectangle."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from workers.detector import LetterboxDetector, ModelInfo, Picture
from workers.letterbox import GREY, fit
from workers.task import Head

Rows = NDArray[np.float32]
Answer = Callable[[NDArray[np.uint8]], Rows]


class Network:
    def __init__(self, answer: Answer) -> None:
        self.batches: list[NDArray[np.uint8]] = []
        self._answer = answer

    def forward(self, canvases: NDArray[np.uint8]) -> list[Rows]:
        self.batches.append(canvases.copy())
        return [self._answer(canvas) for canvas in canvases]


def white_box(canvas: NDArray[np.uint8]) -> Rows:
    ys, xs = np.nonzero(canvas.min(axis=2) > 200)
    if not len(ys):
        return np.zeros((0, 6), np.float32)
    return np.array([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1, 0.9, 0]], np.float32)


def rows(*values: tuple[float, ...]) -> Answer:
    return lambda canvas: np.array(values, np.float32).reshape(-1, 6)


def detector(
    answer: Answer, imgsz: int = 320, batch: int = 4, canvas: tuple[int, int] | None = None
) -> LetterboxDetector:
    info = ModelInfo("", "fake", "cpu", imgsz, ("a", "b"), canvas)
    return LetterboxDetector(Network(answer), info, batch, 0.25)


def marked(height: int, width: int, box: tuple[int, int, int, int]) -> Picture:
    picture = np.zeros((height, width, 3), np.uint8)
    x1, y1, x2, y2 = box
    picture[y1:y2, x1:x2] = 255
    return picture


@given(st.integers(1, 5000), st.integers(1, 5000), st.sampled_from([64, 320, 640]), st.sampled_from([8, 32, 64]))
def test_the_canvas_lies_on_the_models_grid_and_holds_the_whole_picture(
    height: int, width: int, imgsz: int, stride: int
) -> None:
    placed = fit(height, width, imgsz, stride=stride)
    for side, inside, before in zip(placed.canvas, placed.size, (placed.top, placed.left), strict=True):
        assert side % stride == 0
        assert side <= imgsz
        assert 0 < inside <= side
        assert 0 <= before <= side - inside
    assert max(placed.size) == imgsz


@pytest.mark.parametrize("size", [(480, 640), (640, 480), (1080, 1920), (77, 801), (320, 320), (40, 32)])
@pytest.mark.parametrize("canvas", [None, (320, 320)])
def test_a_box_is_in_the_pixels_of_its_own_picture(size: tuple[int, int], canvas: tuple[int, int] | None) -> None:
    height, width = size
    box = (width // 4, height // 4, width * 3 // 4, height * 3 // 4)
    (found,) = detector(white_box, canvas=canvas).detect([marked(height, width, box)])
    pixel = max(size) / 320
    assert found.boxes[0] == pytest.approx(box, abs=2.5 * max(1, pixel))


def test_pictures_of_different_sizes_keep_their_order() -> None:
    sizes = [(480, 640), (640, 480), (480, 640), (100, 100), (640, 480), (480, 640)]
    pictures = [marked(h, w, (0, 0, w // 2, h * (i + 1) // 8)) for i, (h, w) in enumerate(sizes)]
    found = detector(white_box, batch=2).detect(pictures)
    bottoms = [float(item.boxes[0][3]) for item in found]
    assert bottoms == pytest.approx([h * (i + 1) / 8 for i, (h, _) in enumerate(sizes)], abs=3)


def test_the_detections_of_a_picture_do_not_depend_on_its_neighbours() -> None:
    network = Network(rows())
    looking = LetterboxDetector(network, ModelInfo("", "", "", 320, ()), 8, 0.25)
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (h, w, 3), dtype=np.uint8) for h, w in ((480, 640), (640, 480), (480, 640))]
    looking.detect(pictures)
    together = [network.batches[0][0], network.batches[1][0], network.batches[0][1]]
    for picture, canvas in zip(pictures, together, strict=True):
        looking.detect([picture])
        assert (network.batches[-1][0] == canvas).all()


def test_the_canvas_is_the_scaled_picture_centred_on_grey() -> None:
    network = Network(rows())
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (481, 640, 3), dtype=np.uint8)
    LetterboxDetector(network, ModelInfo("", "", "", 320, ()), 1, 0.25).detect([picture])
    scaled = cv2.resize(picture, (320, 240))
    expected = cv2.copyMakeBorder(scaled, 8, 8, 0, 0, cv2.BORDER_CONSTANT, value=(GREY, GREY, GREY))
    assert (network.batches[0][0] == expected).all()


def test_boxes_end_at_the_pictures_edge_and_empty_ones_are_dropped() -> None:
    answer = rows((-50, -50, 400, 400, 0.9, 1), (400, 10, 500, 20, 0.8, 0), (10, 10, 10, 50, 0.7, 0))
    (found,) = detector(answer).detect([marked(480, 640, (0, 0, 1, 1))])
    assert found.boxes.tolist() == [[0, 0, 640, 480]]
    assert found.classes.tolist() == [1]


def test_the_most_confident_comes_first_and_the_unsure_are_left_out() -> None:
    answer = rows((0, 50, 9, 60, 0.3, 0), (0, 50, 9, 60, 0.24, 0), (0, 50, 9, 60, 0.8, 1))
    (found,) = detector(answer).detect([marked(480, 640, (0, 0, 1, 1))])
    assert found.confidences.tolist() == pytest.approx([0.8, 0.3])


def test_a_model_that_gives_no_numbers_is_an_error_and_not_an_empty_picture() -> None:
    with pytest.raises(ValueError, match="not finite"):
        detector(rows((0, 0, float("nan"), 9, 0.9, 0))).detect([marked(480, 640, (0, 0, 1, 1))])


def test_a_model_of_queries_sees_pictures_stretched_over_its_square() -> None:
    network = Network(rows((0, 80, 160, 320, 0.9, 0)))
    info = ModelInfo("", "fake", "cpu", 320, ("a",), head=Head("detect", True))
    picture = marked(480, 640, (0, 0, 320, 480))
    (found,) = LetterboxDetector(network, info, 1, 0.25).detect([picture])
    assert network.batches[0].shape == (1, 320, 320, 3)
    assert (network.batches[0][0, :, :158] == 255).all()
    assert found.boxes.tolist() == [[0, 120, 320, 480]]
    assert (info.enough_px, replace(info, head=Head()).enough_px) == (640, 320)


@pytest.mark.parametrize("size", [(480, 640), (97, 131)])
def test_shapes_are_in_the_pixels_of_their_picture(size: tuple[int, int]) -> None:
    height, width = size
    places = fit(height, width, 320)
    around = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    corners = around * np.array(places.scale, np.float32) + np.array([places.left, places.top], np.float32)
    answer = np.concatenate([corners[0], corners[2], [0.9, 0], corners.ravel()])[None].astype(np.float32)
    for head in (Head("obb"), Head("pose", False, 4, 2)):
        info = ModelInfo("", "fake", "cpu", 320, ("a",), head=head)
        looking = LetterboxDetector(Network(lambda canvas: answer), info, 1, 0.25)
        (found,) = looking.detect([marked(height, width, (0, 0, 1, 1))])
        shape = found.corners if head.task == "obb" else found.keypoints
        assert shape is not None
        assert shape[0] == pytest.approx(around, abs=0.01)
