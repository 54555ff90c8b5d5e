"""Cases of sources: folders as people fill them, and cameras that are neither RTSP nor a file."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from andon.clock import SystemClock
from ingest.sources.choice import open_source
from ingest.sources.folder import SUFFIXES
from ingest.sources.source import FrameSource, SourceError
from tests.cases.case import Case, rows
from tests.unit.ingest.fakes import camera_settings
from tests.unit.ingest.jpegs import grey_jpeg
from tests.videos import grey, number_of


def opened(folder: Path) -> FrameSource:
    return open_source(camera_settings(url=str(folder)), SystemClock())


def numbers(source: FrameSource) -> list[int]:
    """The number in each picture that the source delivers; -1 for a corrupt one."""
    pictures = iter(source.read, None)
    return [-1 if picture.bgr is None else number_of(picture.bgr()) for picture in pictures]


def save(folder: Path, names: list[str]) -> None:
    """A grey picture under each name; its level says the place of the name in the list."""
    for number, name in enumerate(names):
        (folder / name).write_bytes(grey_jpeg(number))


def counted(folder: Path) -> None:
    save(folder, [f"{number}.jpg" for number in range(1, 13)])


def padded(folder: Path) -> None:
    save(folder, [f"{number:03}.jpg" for number in range(12)])


def several_numbers(folder: Path) -> None:
    save(folder, ["shift 2 part 9.jpg", "shift 2 part 10.jpg", "shift 10 part 1.jpg"])


def mixed_names(folder: Path) -> None:
    save(folder, ["1.jpg", "2a.jpg", "10.jpg", "Bild.jpg", "a.jpg", "a1.jpg", "①.jpg"])


def hidden(folder: Path) -> None:
    save(folder, ["x.jpg"])
    (folder / "._x.jpg").write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X" + bytes(100))
    (folder / ".DS_Store").write_bytes(b"x")


def unread(folder: Path) -> None:
    save(folder, ["x.jpg"])
    (folder / "Thumbs.db").write_bytes(b"x")
    (folder / "y.heic").write_bytes(b"x")
    (folder / "more").mkdir()


def paged(folder: Path) -> None:
    page = Image.new("L", (64, 48), grey(0))
    page.save(folder / "stack.tif", save_all=True, append_images=[page, page])
    page.save(folder / "too.tiff")


READ_IN_ORDER: tuple[Case[tuple[Callable[[Path], None], str | None]], ...] = (
    Case("pictures are read in the order of the numbers in their names", "roboflow/trackers#558", (counted, "2.jpg")),
    Case("a folder whose plain order is right needs no word", "seen by hand", (padded, None)),
    Case("each number in a name counts as a number", "seen by hand", (several_numbers, "part 9.jpg before")),
    Case("names of every kind have one order", "seen by hand", (mixed_names, "2a.jpg before 10.jpg")),
    Case("hidden files are no pictures", "seen by hand", (hidden, None)),
    Case("files and folders that are left out are named", "seen by hand", (unread, "2 files are left out")),
    Case("pages of a TIFF that are not read are named", "seen by hand", (paged, "stack.tif has 3 pages, and 1 of 2")),
)


@rows(READ_IN_ORDER)
def test_a_folder(given: tuple[Callable[[Path], None], str | None], tmp_path: Path) -> None:
    fill, said = given
    fill(tmp_path)
    source = opened(tmp_path)
    notes = source.info.notes
    assert bool(notes) == (said is not None), notes
    assert said is None or any(said in note for note in notes)
    read = numbers(source)
    assert read == ([0, 0] if fill is paged else list(range(len(read))))
    assert read


def test_each_ending_that_is_taken_can_be_read(tmp_path: Path) -> None:
    pixels = np.full((48, 64, 3), grey(3), np.uint8)
    writable = {".jfif": ".jpg", ".jpe": ".jpg", ".pnm": ".ppm"}
    for number, suffix in enumerate(sorted(SUFFIXES)):
        image = pixels if suffix not in (".pbm", ".pgm") else pixels[..., 0]
        _, encoded = cv2.imencode(writable.get(suffix, suffix), image)
        (tmp_path / f"{number:02}{suffix}").write_bytes(encoded.tobytes())
    read = numbers(opened(tmp_path))
    assert len(read) == len(SUFFIXES)
    assert -1 not in read


def test_a_folder_with_other_files_alone_says_what_lies_there(tmp_path: Path) -> None:
    (tmp_path / "a.heic").write_bytes(b"x")
    with pytest.raises(SourceError, match=r"no images in this folder .*: 1 \.heic"):
        opened(tmp_path)
