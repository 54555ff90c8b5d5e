"""The pictures to train on."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from sample_streams import dataset
from sample_streams.clips import CLIPS
from sample_streams.spec import CLASSES, FASTEST, SLOWEST, LineSpec


def test_both_splits_are_written_with_labels_in_range(tmp_path: Path) -> None:
    described = dataset.build(tmp_path, dataset.splits(train=4, val=2))
    images = sorted(tmp_path.glob("images/*/*.jpg"))
    rows = [row.split() for path in tmp_path.glob("labels/*/*.txt") for row in path.read_text().splitlines()]
    assert [len(list(tmp_path.glob(f"labels/{split}/*.txt"))) for split in ("train", "val")] == [4, 2]
    assert [image.shape for path in images if (image := cv2.imread(str(path))) is not None] == [(480, 640, 3)] * 6
    assert rows
    for number, *box in rows:
        assert 0 <= int(number) < len(CLASSES)
        assert all(0.0 < float(edge) <= 1.0 for edge in box)
    assert all(f"  {number}: {name}" in described.read_text() for number, name in enumerate(CLASSES))


def test_a_picture_that_is_there_is_not_drawn_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = dataset.splits(train=1, val=1)
    dataset.build(tmp_path, few)
    monkeypatch.setattr(dataset, "sample", lambda seed, line: pytest.fail(f"drew {seed} again"))
    assert dataset.build(tmp_path, few).exists()


def test_the_same_seed_gives_the_same_sample() -> None:
    (image, truth), (again, same) = dataset.sample(77), dataset.sample(77)
    assert image.tobytes() == again.tobytes()
    assert truth == same


def test_no_split_shares_a_line_with_the_clips() -> None:
    assert max(spec.seed for spec in CLIPS.values()) < dataset.TRAIN_SEED
    train, val, test = (set(range(s.first_seed, s.first_seed + s.images)) for s in dataset.splits(10**6, 10**6, 10**6))
    assert len(train | val | test) == 3 * 10**6


def test_a_split_without_pictures_is_left_out(tmp_path: Path) -> None:
    described = dataset.build(tmp_path, dataset.splits(train=1, val=1)).read_text()
    assert "val: images/val" in described
    assert "test:" not in described
    lines = list[str]()
    dataset.build(tmp_path, dataset.splits(train=1, val=1, test=1), lines.append)
    assert lines[-1] == "test: 1 pictures, 1 of them drawn now"


def test_pictures_to_measure_on_alone_are_a_data_set_too(tmp_path: Path) -> None:
    described = dataset.build(tmp_path, dataset.splits(train=0, val=0, test=1)).read_text()
    assert [line for line in described.splitlines() if "images" in line] == [
        "test: images/test",
        "train: images/test",
        "val: images/test",
    ]


def test_the_lines_to_train_on_cover_every_speed() -> None:
    rng = np.random.default_rng(0)
    rates = [dataset.vary(LineSpec(), rng).parts_per_minute for _ in range(200)]
    assert min(rates) < SLOWEST + 10
    assert max(rates) > FASTEST - 10
