"""Detections are paired with labels as is usual in the field, and come from the detector that is served."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from andon.errors import ConfigError
from tests import yolo_dataset
from workers.detector import Detections, ModelInfo, Picture
from workers.model.dataset import Sample, read_dataset
from workers.model.export import agreeing
from workers.model.measure import measure, pair


def found(*rows: tuple[float, float, float, float, float, int]) -> Detections:
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4], table[:, 5].astype(np.int64))


def hits(detections: Detections, *labels: tuple[int, float, float, float, float]) -> list[bool]:
    """At an IoU of 0.5, in a picture of 100 x 100."""
    table = np.array(labels, np.float64).reshape(-1, 5)
    sample = Sample(Path("x.jpg"), table[:, 0].astype(np.int64), table[:, 1:])
    return [bool(hit) for hit in pair(detections, sample, np.arange(3), (100, 100)).hits[:, 0]]


def test_a_detection_on_its_label_is_right() -> None:
    assert hits(found((10, 10, 30, 30, 0.9, 1)), (1, 0.1, 0.1, 0.3, 0.3)) == [True]


def test_a_detection_of_another_class_is_wrong() -> None:
    assert hits(found((10, 10, 30, 30, 0.9, 0)), (1, 0.1, 0.1, 0.3, 0.3)) == [False]


def test_of_two_detections_on_one_label_the_more_confident_is_right_even_if_the_other_fits_better() -> None:
    detections = found((12, 10, 32, 30, 0.9, 1), (10, 10, 30, 30, 0.5, 1))
    assert hits(detections, (1, 0.1, 0.1, 0.3, 0.3)) == [True, False]


def test_a_picture_without_labels_and_detections_adds_nothing() -> None:
    assert hits(found(), (1, 0.1, 0.1, 0.3, 0.3)) == []
    assert hits(found((10, 10, 30, 30, 0.9, 1))) == [False]


def test_a_tighter_iou_asks_for_more() -> None:
    sample = Sample(Path("x.jpg"), np.array([0]), np.array([[0.1, 0.1, 0.3, 0.3]]))
    row = pair(found((12, 10, 32, 30, 0.9, 0)), sample, np.arange(1), (100, 100)).hits[0]
    assert row.tolist() == [True] * 7 + [False] * 3, "IoU 0.818"


class Knowing:
    """A detector that has read the labels, but calls each bar a ring."""

    def __init__(self, classes: tuple[str, ...]) -> None:
        self._info = ModelInfo("f" * 64, "fake", "cpu", 64, classes)
        self._seeds = [1000, *range(1000, 1100)]  # the first picture is looked at once more, as a warm-up

    @property
    def info(self) -> ModelInfo:
        return self._info

    def warm_up(self) -> None: ...

    def detect(self, pictures: Sequence[Picture]) -> list[Detections]:
        return [self._found(self._seeds.pop(0), picture) for picture in pictures]

    def _found(self, seed: int, picture: Picture) -> Detections:
        height, width = picture.shape[:2]
        rows = []
        for _, x, y, w, h in yolo_dataset.draw(seed)[1]:
            box = ((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
            rows.append((*box, 0.9, self._info.classes.index("ring")))
        return found(*rows)


@pytest.mark.filterwarnings("ignore")  # ultralytics' imports
def test_figures_by_class_do_not_depend_on_the_order_of_the_models_classes(tmp_path: Path) -> None:
    dataset = read_dataset(yolo_dataset.write(tmp_path / "data", train=1, val=11))
    counts: list[int] = []
    metrics = measure(Knowing(("hand", "bar", "ring")), dataset, "val", tmp_path, progress=counts.append).metrics
    assert metrics.images == 11
    assert counts == [8, 3]
    assert metrics.map50_by_class["bar"] == 0.0
    assert 0.4 < metrics.map50_by_class["ring"] < 1.0, "half of what it calls a ring is none"
    assert metrics.map50 == pytest.approx(metrics.map50_by_class["ring"] / 2, abs=1e-4)


def test_a_dataset_of_other_classes_than_the_models_is_refused(tmp_path: Path) -> None:
    dataset = read_dataset(yolo_dataset.write(tmp_path, train=1, val=1))
    with pytest.raises(ConfigError, match="the model has no class 'bar'; it knows hand, ring"):
        measure(Knowing(("hand", "ring")), dataset, "val", tmp_path)


def test_an_export_agrees_where_each_has_the_certain_detections_of_the_other() -> None:
    ours = found((10, 10, 30, 30, 0.9, 0), (50, 50, 70, 70, 0.8, 1), (0, 0, 5, 5, 0.1, 0))
    theirs = found((11, 10, 31, 30, 0.3, 0), (50, 50, 70, 70, 0.8, 0))
    assert agreeing([ours], [ours]) == 1.0
    assert agreeing([ours], [theirs]) == pytest.approx(1 / 3)
    assert agreeing([found()], [found()]) == 1.0
