"""Every task, head and runtime sees what ultralytics' own `predict` sees, with the same weights and pictures."""

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from andon.messages import MAX_POLYGON
from andon.pictures.picture import Bgr
from andon.settings import PoolSettings
from tests.detectors import grey
from tests.tasks import IMGSZ, KEYPOINTS, MODELS, build, picture
from workers.detector import Detections, Detector
from workers.letterbox import GREY, fit
from workers.runtimes import openvino_options
from workers.runtimes.cache import ENDINGS
from workers.runtimes.choice import load
from workers.runtimes.export import Job, export
from workers.runtimes.suppression import NMS_IOU
from workers.runtimes.ultralytics_model import import_ultralytics

Runtime = Literal["torch", "onnx", "openvino"]
Floats = NDArray[np.float32]
RUNTIMES: tuple[Runtime, ...] = ("torch", "onnx", "openvino")
CONFIDENCE = 0.25
SIZES = ((240, 320), (320, 200), (97, 131))
"""Height and width: more and fewer pixels than the canvas has, and odd ones."""
ENOUGH = {"detect-p6": 5}
"""Detections of a model whose coarse grids see few things in small pictures."""
PLACE_PX = 0.5
CONFIDENCE_GAP = 0.01
MIN_OVERLAP, MEAN_OVERLAP = 0.6, 0.9
"""An outline has a bounded number of points; a mask of random weights is ragged."""
pytestmark = pytest.mark.filterwarnings("ignore")  # ultralytics' exporter and predictor


@dataclass(frozen=True)
class Case:
    name: str
    weights: Path
    cache: Path

    @property
    def task(self) -> str:
        return "detect" if self.name == "rtdetr" else self.name.partition("-")[0]

    def served(self, runtime: Runtime, confidence: float = CONFIDENCE) -> Detector:
        model = {
            "weights": str(self._file(runtime)),
            "runtime": runtime,
            "cache": str(self.cache),
            "device": "cpu",
            "confidence": confidence,
        }
        return load(PoolSettings.model_validate({"model": model, "batch": {"size": 2}}), "default")

    def _file(self, runtime: Runtime) -> Path:
        """Exported in this process, which takes less time than in one of its own, and checked against its source."""
        if runtime == "torch":
            return self.weights
        path = self.cache / f"{self.name}{ENDINGS[runtime]}"
        if not path.exists():
            digest = hashlib.sha256(self.weights.read_bytes()).hexdigest()
            with tempfile.TemporaryDirectory(dir=self.cache) as room:
                export(Job(str(self.weights), digest, str(path), str(self.cache), room, self.name, runtime))
        return path


@pytest.fixture(scope="module", params=list(MODELS))
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    name, folder = str(request.param), tmp_path_factory.mktemp("tasks")
    return Case(name, build(name, folder), folder)


@pytest.fixture(scope="module", autouse=True)
def exact() -> Iterator[None]:
    """bf16, which OpenVINO chooses where the processor has it, keeps 8 bits: too few to compare places with."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openvino_options, "THROUGHPUT", openvino_options.THROUGHPUT | {"INFERENCE_PRECISION_HINT": "f32"})
        yield


@pytest.fixture(scope="module")
def pictures() -> list[Bgr]:
    return [picture(seed, size) for seed, size in enumerate(SIZES)]


@pytest.fixture(scope="module")
def expected(case: Case, pictures: list[Bgr]) -> list[Any]:
    """ultralytics' Results, on the CPU."""
    yolo = import_ultralytics(case.cache).YOLO(str(case.weights))
    nms = False if case.name.endswith("26") else None
    options = {"imgsz": IMGSZ, "conf": CONFIDENCE, "iou": NMS_IOU, "nms": nms, "device": "cpu", "verbose": False}
    return [yolo.predict(picture, **options)[0].numpy() for picture in pictures]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_detections_are_those_of_predict(
    case: Case, expected: list[Any], pictures: list[Bgr], runtime: Runtime
) -> None:
    detector = case.served(runtime)
    assert detector.info.head.task == case.task
    compared = 0
    for ours, theirs, shown in zip(detector.detect(pictures), expected, pictures, strict=True):
        compared += _compare(case, ours, theirs, shown)
    assert compared >= ENOUGH.get(case.name, 30), "there is something to compare"


def _compare(case: Case, ours: Detections, theirs: Any, shown: Bgr) -> int:
    """How many were compared and found to be the same."""
    pairs = _pairs(ours, theirs, shown)
    overlaps = [_same_shape(case, ours, index, theirs, other) for index, other in pairs]
    assert np.mean(overlaps or 1) > MEAN_OVERLAP
    return len(pairs)


def _pairs(ours: Detections, theirs: Any, shown: Bgr) -> list[tuple[int, int]]:
    """Each of predict's detections that lies in the picture is among ours, at the same place; ours may have more.

    More: boxes whose mask is empty, which predict leaves out, and detections within a thousandth of the limit.
    """
    predictions = theirs.obb if theirs.obb is not None else theirs.boxes
    height, width = shown.shape[:2]
    boxes = predictions.xyxy.clip(0, [width, height, width, height])
    inside = (boxes[:, 2:] - boxes[:, :2] > 0.1).all(axis=1) & (predictions.conf > CONFIDENCE + 0.001)
    pairs, free = [], set(range(len(ours.boxes)))
    for other in np.flatnonzero(inside).tolist():
        near = {index: _distance(ours, index, boxes[other], predictions, other) for index in free}
        index = min(near, key=lambda one: near[one], default=-1)
        assert index >= 0, "nothing of ours is left"
        assert near[index] < _tolerance_px(predictions.xyxy[other]), (
            f"{boxes[other]} {predictions.conf[other]} is {near[index]} px from any of ours"
        )
        free.remove(index)
        pairs.append((index, other))
    sizes = (ours.boxes[:, 2:] - ours.boxes[:, :2]).min(axis=1)
    surplus = [index for index in free if ours.confidences[index] > CONFIDENCE + 0.001 and sizes[index] > 0.1]
    if ours.polygons is not None:
        surplus = [index for index in surplus if ours.polygons[index] is not None]
    assert not surplus, f"ours alone: {ours.boxes[surplus]}"
    return pairs


def _tolerance_px(box: Floats) -> float:
    """Some are many times larger than the picture: the weights are random."""
    return PLACE_PX + 0.005 * float(np.abs(box).max())


def _distance(ours: Detections, index: int, box: Floats, predictions: Any, other: int) -> float:
    if (
        ours.classes[index] != predictions.cls[other]
        or abs(ours.confidences[index] - predictions.conf[other]) > CONFIDENCE_GAP
    ):
        return float("inf")
    return float(np.abs(ours.boxes[index] - box).max())


def _same_shape(case: Case, ours: Detections, index: int, theirs: Any, other: int) -> float:
    """How well two outlines overlap; 1 for all other shapes, which are the same."""
    match case.task:
        case "segment":
            return _same_polygon(ours, index, theirs, other)
        case "pose":
            assert ours.keypoints is not None
            assert ours.keypoints[index].shape == (len(KEYPOINTS), 3)
            assert ours.keypoints[index][:, :2] == pytest.approx(theirs.keypoints.xy[other], abs=PLACE_PX)
            assert ours.keypoints[index][:, 2] == pytest.approx(theirs.keypoints.conf[other], abs=CONFIDENCE_GAP)
        case "obb":
            assert ours.corners is not None
            gaps = np.abs(ours.corners[index][:, None] - theirs.obb.xyxyxyxy[other][None]).max(axis=2).min(axis=1)
            assert gaps.max() < _tolerance_px(theirs.obb.xyxy[other])
            assert cv2.contourArea(ours.corners[index], oriented=True) >= 0, "clockwise on the picture"
        case _:
            assert (ours.polygons, ours.keypoints, ours.corners) == (None, None, None)
    return 1.0


def _same_polygon(ours: Detections, index: int, theirs: Any, other: int) -> float:
    """Against the largest part of predict's mask, which is one of the canvas, as far as that is the picture."""
    assert ours.polygons is not None
    height, width = theirs.orig_shape
    placed = fit(height, width, IMGSZ)
    rows = slice(placed.top, placed.top + placed.size[0])
    columns = slice(placed.left, placed.left + placed.size[1])
    mask = np.zeros(placed.canvas, np.uint8)
    mask[rows, columns] = theirs.masks.data[other][rows, columns]
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = max(contours, key=cv2.contourArea, default=None)
    if largest is None or cv2.contourArea(largest) < 30:  # too few pixels to be compared by their number
        return 1.0
    polygon = ours.polygons[index]
    assert polygon is not None
    assert 3 <= len(polygon) <= MAX_POLYGON
    points = polygon * placed.scale + [placed.left - 0.5, placed.top - 0.5]
    drawn, wanted = np.zeros_like(mask), np.zeros_like(mask)
    cv2.fillPoly(drawn, [np.round(points).astype(np.int32)], 1)
    cv2.drawContours(wanted, [largest], -1, 1, cv2.FILLED)
    overlap = float((drawn & wanted).sum() / (drawn | wanted).sum())
    assert overlap > MIN_OVERLAP, f"{overlap:.2f} of {wanted.sum()} px"
    return overlap


def test_the_comparison_can_fail(case: Case, expected: list[Any], pictures: list[Bgr]) -> None:
    """By what reading a head wrongly does: everything lies a little beside where it should."""
    found = case.served("torch").detect(pictures)
    fullest = max(range(len(found)), key=lambda index: len(found[index].boxes))
    ours = found[fullest]
    aside = np.array([3, 0, 0], np.float32)
    if ours.polygons is not None:
        wrong = replace(ours, polygons=tuple(one if one is None else one + 12 for one in ours.polygons))
    elif ours.keypoints is not None:
        wrong = replace(ours, keypoints=ours.keypoints + aside)
    elif ours.corners is not None:
        wrong = replace(ours, corners=ours.corners[:, :, ::-1])
    else:
        wrong = replace(ours, boxes=ours.boxes + aside[[0, 1, 0, 1]])
    with pytest.raises(AssertionError):
        _compare(case, wrong, expected[fullest], pictures[fullest])


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_pictures_in_which_nothing_is_seen_have_no_shapes(case: Case, runtime: Runtime) -> None:
    (found,) = case.served(runtime, 0.9999).detect([grey(GREY, (120, 160))])
    counts = [len(shapes) for shapes in (found.polygons, found.keypoints, found.corners) if shapes is not None]
    assert [len(found.boxes), *counts] == [0, *(0 for _ in counts)]
