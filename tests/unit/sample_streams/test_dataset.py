"""The pictures to train on."""

from pathlib import Path

import cv2
import pytest

from sample_streams import dataset
from sample_streams.clips import CLIPS
from sample_streams.spec import CLASSES


def test_both_splits_are_written_with_labels_in_range(tmp_path: Path) -> None:
    described = dataset.build(tmp_path, train=4, val=2)
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
    dataset.build(tmp_path, train=1, val=1)
    monkeypatch.setattr(dataset, "sample", lambda seed: pytest.fail(f"drew {seed} again"))
    assert dataset.build(tmp_path, train=1, val=1).exists()


def test_the_same_seed_gives_the_same_sample() -> None:
    (image, truth), (again, same) = dataset.sample(77), dataset.sample(77)
    assert image.tobytes() == again.tobytes()
    assert truth == same


def test_no_split_shares_a_line_with_the_clips() -> None:
    assert max(spec.seed for spec in CLIPS.values()) < dataset.TRAIN_SEED
    assert dataset.VAL_SEED - dataset.TRAIN_SEED >= 1_000_000
