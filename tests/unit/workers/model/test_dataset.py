"""Datasets in YOLO format are read as they are; a mistake in one is reported in one line."""

from pathlib import Path

import numpy as np
import pytest

from andon.errors import ConfigError
from tests import yolo_dataset
from workers.model.dataset import picture, read_dataset, samples


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return yolo_dataset.write(tmp_path, train=3, val=2)


def label(data: Path, text: str) -> Path:
    """Of the first picture of `val`."""
    path = data.parent / "labels" / "val" / "1000.txt"
    path.write_text(text)
    return path


def complaint(data: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        samples(read_dataset(data), "val")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_pictures_are_read_with_their_labels(data: Path) -> None:
    dataset = read_dataset(data)
    assert dataset.classes == yolo_dataset.CLASSES
    assert {split: len(pictures) for split, pictures in dataset.splits.items()} == {"train": 3, "val": 2}
    first = samples(dataset, "val")[0]
    drawn, labels = yolo_dataset.draw(1000)
    assert picture(first.path).shape == drawn.shape
    x, y, width, height = labels[0][1:]
    assert first.classes.tolist() == [0, 1]
    assert first.boxes[0] == pytest.approx([x - width / 2, y - height / 2, x + width / 2, y + height / 2])


def test_a_polygon_counts_as_the_box_around_it(data: Path) -> None:
    label(data, "1 0.1 0.2 0.5 0.1 0.3 0.6\n")
    assert samples(read_dataset(data), "val")[0].boxes.tolist() == [[0.1, 0.1, 0.5, 0.6]]


def test_a_pose_label_begins_with_its_box(data: Path) -> None:
    data.write_text(data.read_text() + "kpt_shape: [1, 3]\n")
    for path in (data.parent / "labels").rglob("*.txt"):
        path.write_text("0 0.5 0.5 0.2 0.4 0.5 0.5 2\n")
    assert samples(read_dataset(data), "val")[0].boxes == pytest.approx(np.array([[0.4, 0.3, 0.6, 0.7]]))


def test_a_picture_without_labels_has_nothing_in_it(data: Path) -> None:
    label(data, "").unlink()
    assert samples(read_dataset(data), "val")[0].boxes.shape == (0, 4)


def test_a_few_of_many_pictures_are_spread_over_all(data: Path) -> None:
    dataset = read_dataset(yolo_dataset.write(data.parent, train=9, val=2))
    assert [item.path.stem for item in samples(dataset, "train", 3)] == ["1", "4", "7"]


def test_a_text_file_may_list_the_pictures(data: Path) -> None:
    (data.parent / "val.txt").write_text("./images/val/1001.jpg\n")
    data.write_text(data.read_text().replace("val: images/val", "val: val.txt"))
    assert [item.path.stem for item in samples(read_dataset(data), "val")] == ["1001"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2 0.5 0.5 0.1 0.1", "line 1: class 2, the dataset names 2 classes"),
        ("0 0.5 0.5", "line 1: not a YOLO label"),
        ("\nring 0.5 0.5 0.1 0.1", "line 2: not a YOLO label"),
    ],
)
def test_a_line_that_is_no_label_is_refused(data: Path, text: str, reason: str) -> None:
    path = label(data, text)
    assert complaint(data).startswith(f"{path}: {reason}")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("- 1", "not a dataset's YAML"),
        ("names: [a", "not a dataset's YAML"),
        ("names: {1: a}\nval: images/val", "names: expected a list of class names"),
        ("names: [a]\nval: nowhere", "no such folder of pictures"),
    ],
)
def test_a_yaml_that_is_no_dataset_is_refused(data: Path, text: str, reason: str) -> None:
    data.write_text(text)
    assert reason in complaint(data)


def test_a_missing_yaml_is_refused(tmp_path: Path) -> None:
    assert "--data names a dataset's YAML" in complaint(tmp_path / "none.yaml")


def test_a_missing_split_is_refused(data: Path) -> None:
    with pytest.raises(ConfigError, match="no pictures for `test`"):
        samples(read_dataset(data), "test")


@pytest.mark.parametrize("name", ["broken.jpg", "broken.bmp"])
def test_a_file_that_is_no_picture_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no picture")
    with pytest.raises(ConfigError, match="not a picture"):
        picture(tmp_path / name)
