"""ultralytics' own loader, reading through the line's reader."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from andon.errors import ConfigError
from andon.pictures.picture import Bgr
from andon.pictures.reader import read_file
from tests.cases import pictures
from workers.runtimes.ultralytics_model import import_ultralytics
from workers.runtimes.ultralytics_pictures import require_readable, use_the_lines_reader

FILES = {
    "a.jpg": pictures.saved("JPEG", orientation=6, quality=95),
    "b.png": pictures.deep(".png", 12),
    "c.jpg": pictures.PLAIN[:-2],
    "d.jpg": pictures.PLAIN + bytes(5),
    "e.tif": pictures.floats(),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / "images" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "images" / name).write_bytes(content)
        (tmp_path / "labels").mkdir(exist_ok=True)
        (tmp_path / "labels" / f"{name[0]}.txt").write_text("0 0.5 0.5 0.2 0.2\n", encoding="utf-8")
    (tmp_path / "data.yaml").write_text(yaml.safe_dump({"path": str(tmp_path), "train": "images", "val": "images"}))
    return tmp_path


def loaded(folder: Path, cache: Path) -> dict[str, Bgr]:
    """By name, the pictures that a training would see before it augments them."""
    import_ultralytics(cache)
    from ultralytics.data.dataset import YOLODataset  # noqa: PLC0415 - only after the environment says offline

    use_the_lines_reader()
    dataset: Any = YOLODataset(img_path=str(folder / "images"), data={"names": {0: "part"}}, imgsz=320, augment=False)
    return {Path(dataset.im_files[at]).name: dataset.load_image(at)[0] for at in range(len(dataset.im_files))}


def test_a_training_sees_the_pixels_that_a_line_sees_and_changes_no_file(folder: Path, tmp_path: Path) -> None:
    images = loaded(folder, tmp_path)
    assert set(images) == set(FILES)
    for name, content in FILES.items():
        path = folder / "images" / name
        assert np.array_equal(images[name], read_file(path)), name
        assert path.read_bytes() == content, name
    require_readable()


def test_a_training_ends_at_a_picture_that_can_not_be_read(folder: Path, tmp_path: Path) -> None:
    (folder / "images" / "c.jpg").write_bytes(pictures.PLAIN[:3000])
    loaded(folder, tmp_path)
    with pytest.raises(ConfigError, match=r"images/c\.jpg: not a picture: a damaged JPEG"):
        require_readable()
