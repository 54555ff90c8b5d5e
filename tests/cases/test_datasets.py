"""Data sets as labelling tools export them: `andon model` sees what ultralytics would train on, or says why not."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from PIL import Image

from andon.errors import ConfigError
from tests import yolo_dataset
from tests.cases.case import Case, rows
from workers.model.dataset import Dataset, picture, read_dataset, samples, write_dataset
from workers.model.train import Training, train
from workers.runtimes.quantize import Calibration
from workers.runtimes.ultralytics_model import import_ultralytics
from workers.task import Head

NAMES = list(yolo_dataset.CLASSES)
VAL = {f"{seed}": yolo_dataset.draw(seed)[1] for seed in (1000, 1001)}
"""The labels of the pictures of `val`, by the name of the picture."""


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its folder, which is also the working directory, since ultralytics begins there."""
    folder = tmp_path / "parts"
    yolo_dataset.write(folder, train=3, val=len(VAL))
    monkeypatch.chdir(folder)
    return folder


def describe(folder: Path, **keys: Any) -> Path:
    """Its YAML, with other values for some keys. None leaves one out."""
    path = folder / "data.yaml"
    entries = {"train": "images/train", "val": "images/val", "names": NAMES, **keys}
    path.write_text(yaml.safe_dump({key: value for key, value in entries.items() if value is not None}))
    return path


def listed(folder: Path, prefix: str, encoding: str = "utf-8", ending: str = "\n") -> Path:
    for split in ("train", "val"):
        lines = [
            f"{prefix}{file.name}".replace("SPLIT", split) for file in sorted((folder / "images" / split).iterdir())
        ]
        (folder / f"{split}.txt").write_bytes((ending.join(lines) + ending).encode(encoding))
    return describe(folder, path=".", train="train.txt", val="val.txt")


def labels(folder: Path, change: Callable[[bytes], bytes]) -> Path:
    for file in (folder / "labels").rglob("*.txt"):
        file.write_bytes(change(file.read_bytes()))
    return describe(folder)


def roboflow(folder: Path) -> Path:
    for split, name in (("train", "train"), ("val", "valid")):
        for kind in ("images", "labels"):
            (folder / name).mkdir(exist_ok=True)
            (folder / kind / split).rename(folder / name / kind)
    return describe(folder, train="../train/images", val="../valid/images", test="../test/images", nc=len(NAMES))


def flat(folder: Path) -> Path:
    for split in ("train", "val"):
        (folder / split).mkdir()
        for kind in ("images", "labels"):
            for file in (folder / kind / split).iterdir():
                file.rename(folder / split / file.name)
    return describe(folder, train="train", val="val")


def linked_files(folder: Path) -> Path:
    """As DVC and git-annex keep them."""
    for file in [*(folder / "images").rglob("*.jpg")]:
        store = folder / "store" / file.stem
        store.parent.mkdir(exist_ok=True)
        file.rename(store)
        file.symlink_to(store)
    return listed(folder, "./images/SPLIT/")


def linked_folder(folder: Path) -> Path:
    shelf = folder / "images" / "val" / "monday"
    kept = folder.parent / "shelf" / "monday"
    kept.mkdir(parents=True)
    for file in [*(folder / "images" / "val").glob("*.jpg")]:
        file.rename(kept / file.name)
    shelf.symlink_to(kept)
    (folder / "labels" / "val" / "monday").mkdir()
    for file in [*(folder / "labels" / "val").glob("*.txt")]:
        file.rename(folder / "labels" / "val" / "monday" / file.name)
    return describe(folder)


def linked_split(folder: Path) -> Path:
    """The pictures lie elsewhere, the labels here."""
    (folder / "images" / "val").rename(folder.parent / "pictures")
    (folder / "images" / "val").symlink_to(folder.parent / "pictures")
    return describe(folder)


def linked_dataset(folder: Path) -> Path:
    """The pictures lie elsewhere, and their labels there, too."""
    kept = folder.parent / "kept"
    kept.mkdir()
    for kind in ("images", "labels"):
        (folder / kind).rename(kept / kind)
    (folder / "images").symlink_to(kept / "images")
    return describe(folder)


def with_hidden_files(folder: Path) -> Path:
    for split in ("train", "val"):
        (folder / "images" / split / "._1000.jpg").write_bytes(b"macOS keeps a file's attributes here")
        (folder / "images" / split / ".thumbnails").mkdir()
        (folder / "images" / split / ".thumbnails" / "1000.jpg").write_bytes(b"no picture")
    return describe(folder)


def of_another_machine(folder: Path) -> Path:
    listed(folder, "/home/somebody/parts/images/SPLIT/")
    return describe(folder, path="/home/somebody/parts", train="train.txt", val="val.txt")


def numbered(folder: Path) -> Path:
    path = folder / "data.yaml"
    path.write_text(f"train: images/train\nval: images/val\nnames: {{'0': {NAMES[0]}, '1': {NAMES[1]}}}\n")
    return path


def windows(folder: Path) -> Path:
    labels(folder, lambda text: b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"))
    listed(folder, "images\\SPLIT\\", "utf-8-sig", "\r\n")
    path = describe(folder, train=".\\train.txt", val=".\\val.txt")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    return path


@dataclass(frozen=True)
class Layout:
    write: Callable[[Path], Path]
    """Rearranges the plain data set in a folder. Returns what --data names."""
    by_ultralytics: bool = True
    """ultralytics reads this one as it is."""
    names: tuple[str, ...] = yolo_dataset.CLASSES


READ = (
    Case("A data set with a YAML beside its folders is read", "seen by hand", Layout(describe)),
    Case(
        "`../train/images`, as Roboflow writes it, is the folder beside the YAML, and a missing `test` is no fault",
        "roboflow/notebooks#69",
        Layout(roboflow),
    ),
    Case(
        "A list of pictures may start at the dataset, as CVAT writes it",
        "cvat-ai/cvat#9433",
        # ultralytics finds the pictures and takes all of them for empty
        Layout(lambda folder: listed(folder, "images/SPLIT/"), by_ultralytics=False),
    ),
    Case(
        "A list of pictures may start at a folder that was not exported, as older CVAT writes it",
        "seen by hand",
        Layout(lambda folder: listed(folder, "data/images/SPLIT/"), by_ultralytics=False),
    ),
    Case(
        "A list and a `path` of the machine that labelled are read from the YAML's folder",
        "seen by hand",
        Layout(of_another_machine, by_ultralytics=False),
    ),
    Case(
        "A list may begin with a byte-order mark",
        "seen by hand",
        Layout(lambda folder: listed(folder, "./images/SPLIT/", "utf-8-sig")),
    ),
    Case(
        "A data set that was labelled on Windows is read: backslashes, CRLF, byte-order marks",
        "seen by hand",
        Layout(windows, by_ultralytics=False),
    ),
    Case(
        "Labels may begin with a byte-order mark and end their lines as Windows does",
        "seen by hand",
        Layout(lambda folder: labels(folder, lambda text: b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"))),
    ),
    Case("Labels may lie beside their pictures, as labelImg leaves them", "seen by hand", Layout(flat)),
    Case(
        "`validation` is `val`",
        "seen by hand",
        Layout(lambda folder: describe(folder, val=None, validation="images/val")),
    ),
    Case(
        "A data set with a number of classes and without names has class_0, class_1, ...",
        "seen by hand",
        Layout(lambda folder: describe(folder, nc=2, names=None), names=("class_0", "class_1")),
    ),
    Case("The numbers of classes may be text", "seen by hand", Layout(numbered)),
    Case("--data may name the folder", "seen by hand", Layout(lambda folder: describe(folder).parent)),
    Case("Hidden files are no pictures", "seen by hand", Layout(with_hidden_files)),
    Case("A picture that is a link has its labels in `labels`", "seen by hand", Layout(linked_files)),
    Case("A folder that is a link is looked into", "LibreYOLO/libreyolo#187", Layout(linked_folder)),
    Case(
        "Labels that lie beside a link to the pictures are found",
        "ultralytics/ultralytics#5036",
        Layout(linked_split, by_ultralytics=False),
    ),
    Case("Labels that lie where a link leads are found", "seen by hand", Layout(linked_dataset)),
    Case(
        "A label that is there twice counts once",
        "ultralytics/yolov5#12176",
        Layout(lambda folder: labels(folder, lambda text: text + text)),
    ),
    Case(
        "A split may name several folders",
        "seen by hand",
        Layout(lambda folder: describe(folder, train=["images/train", "images/val"])),
    ),
)


def by_name(dataset: Dataset) -> dict[str, list[list[float]]]:
    """The labels of `val`, by the name of the picture."""
    found = {}
    for sample in samples(dataset, "val"):
        boxes = sample.boxes
        centres = np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)
        found[sample.path.stem] = sorted(np.concatenate([sample.classes[:, None], centres], axis=1).round(5).tolist())
    return found


def by_ultralytics(path: Path, cache: Path) -> dict[str, list[list[float]]]:
    import_ultralytics(cache)
    from ultralytics.data.dataset import YOLODataset  # noqa: PLC0415 - only after the environment says offline
    from ultralytics.data.utils import check_det_dataset  # noqa: PLC0415 - as above

    data = check_det_dataset(str(path), autodownload=False)
    read = YOLODataset(img_path=data["val"], data=data, task="detect", imgsz=96, augment=False)
    return {
        Path(one["im_file"]).stem: sorted(np.concatenate([one["cls"], one["bboxes"]], axis=1).round(5).tolist())
        for one in read.labels
    }


@rows(READ)
def test_a_layout_that_is_read(given: Layout, plain: Path, tmp_path: Path) -> None:
    path = given.write(plain)
    dataset = read_dataset(path)
    wanted = {name: sorted(np.round(label, 5).tolist() for label in there) for name, there in VAL.items()}
    approximately = {name: pytest.approx(np.array(there), abs=2e-5) for name, there in wanted.items()}
    assert dataset.classes == given.names
    assert by_name(dataset) == approximately
    assert len(samples(dataset, "train")) >= 3
    rewritten = write_dataset(dataset, tmp_path)
    assert by_ultralytics(rewritten, tmp_path) == approximately, "a training sees what is measured"
    if given.by_ultralytics:
        assert by_ultralytics(path, tmp_path) == approximately, "ultralytics reads it alike"


def lying(folder: Path) -> None:
    """Every picture as a camera that was held upright writes it: on its side, with the turn in its Exif."""
    for file in (folder / "images").rglob("*.jpg"):
        exif = Image.Exif()
        exif[0x112] = 6
        with Image.open(file) as upright:
            upright.transpose(Image.Transpose.ROTATE_90).save(file, quality=97, exif=exif)


TURNED = (
    Case(
        "A picture that its Exif turns is measured upright",
        "ultralytics/yolov5#405",
        picture,
    ),
    Case(
        "A picture that its Exif turns calibrates INT8 upright",
        "ultralytics/yolov5#405",
        lambda path: next(iter(Calibration([picture(path)], 128, Head())))[0].transpose(1, 2, 0)[..., ::-1] * 255,
    ),
)


@rows(TURNED)
def test_a_picture_that_its_exif_turns(given: Callable[[Path], NDArray[Any]], plain: Path) -> None:
    lying(plain)
    first = samples(read_dataset(describe(plain)), "val")[0]
    drawn, _ = yolo_dataset.draw(int(first.path.stem))
    pixels = given(first.path)
    assert pixels.shape == drawn.shape
    assert np.abs(pixels.astype(int) - drawn).mean() < 6, "but for what JPEG loses"


@dataclass(frozen=True)
class Mistake:
    write: Callable[[Path], Path]
    complaint: str


def first_label(folder: Path, text: str) -> Path:
    (folder / "labels" / "val" / "1000.txt").write_text(text)
    return describe(folder)


def one_missing(folder: Path) -> Path:
    path = listed(folder, "images/SPLIT/")
    (folder / "images" / "val" / "1001.jpg").unlink()
    return path


REFUSED = (
    Case(
        "Labels with commas are refused",
        "ultralytics/yolov5#10685",
        Mistake(lambda folder: first_label(folder, "0,0.5,0.5,0.1,0.1\n"), "1000.txt: line 1: not a YOLO label"),
    ),
    Case(
        "Labels in pixels are refused, with the number",
        "ultralytics/yolov5#4798",
        Mistake(lambda folder: first_label(folder, "0 64 48 20 20\n"), "1000.txt: line 1: 64 is outside the picture"),
    ),
    Case(
        "A class that is no whole number is refused",
        "seen by hand",
        Mistake(lambda folder: first_label(folder, "0.5 0.5 0.5 0.1 0.1\n"), "1000.txt: line 1: not a YOLO label"),
    ),
    Case(
        "A label that is no number is refused",
        "seen by hand",
        Mistake(
            lambda folder: first_label(folder, "0 nan 0.5 0.1 0.1\n"), "1000.txt: line 1: nan is outside the picture"
        ),
    ),
    Case(
        "A label file that is no text is refused",
        "seen by hand",
        Mistake(lambda folder: labels(folder, lambda _: b"\xff\xfe\x00"), "not a text file of labels"),
    ),
    Case(
        "A number of classes that is not that of the names is refused",
        "seen by hand",
        Mistake(lambda folder: describe(folder, nc=3), "nc is 3, but names has 2 classes"),
    ),
    Case(
        "A data set of another number of channels is refused",
        "ultralytics/ultralytics#20561",
        Mistake(lambda folder: describe(folder, channels=1), "channels: 1; models of 3 channels are served"),
    ),
    Case(
        "A picture that a list names and that is not there is refused, with its line",
        "seen by hand",
        Mistake(one_missing, "val.txt: line 2: images/val/1001.jpg: no such picture"),
    ),
    Case(
        "A missing folder is refused by the place where it was looked for",
        "seen by hand",
        Mistake(lambda folder: describe(folder, val="images/valid"), "images/valid: no such folder of pictures"),
    ),
)


@rows(REFUSED)
def test_a_mistake_that_is_refused_in_one_line(given: Mistake, plain: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        samples(read_dataset(given.write(plain)), "val")
    assert given.complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_picture_that_ultralytics_would_leave_out_is_refused_before_a_training(plain: Path, tmp_path: Path) -> None:
    path = first_label(plain, "0 0.5 0.5 0.1 0.1\n1 0.1 0.2 0.5 0.1 0.3 0.6\n")
    assert len(samples(read_dataset(path), "val")) == len(VAL), "it can be measured"
    with pytest.raises(ConfigError, match=r"1000.txt: has boxes and polygons"):
        train(Training(path, tmp_path / "out"), tmp_path)
