"""How a folder's pictures are ordered, and how the pages of a TIFF are counted."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ingest.sources.folder import natural_key
from ingest.sources.tiff_pages import pages

NAMES = st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=20)


@given(st.sets(NAMES))
def test_any_names_can_be_put_in_order_and_only_one(names: set[str]) -> None:
    forwards = [Path(name) for name in names]
    backwards = forwards[::-1]
    assert sorted(forwards, key=natural_key) == sorted(backwards, key=natural_key)


@given(st.lists(st.integers(0, 10**30), unique=True))
def test_numbers_are_in_the_order_of_their_values(values: list[int]) -> None:
    paths = sorted((Path(f"{value}.jpg") for value in values), key=natural_key)
    assert [int(path.stem) for path in paths] == sorted(values)


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("big", [True, False])
def test_the_pages_of_a_tiff_are_counted(tmp_path: Path, count: int, big: bool) -> None:
    page = Image.new("L", (8, 8))
    path = tmp_path / "a.tif"
    page.save(path, save_all=True, append_images=[page] * (count - 1), big_tiff=big)
    assert pages(path) == count


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"II",
        b"hello, world",
        struct.pack("<2sHI", b"II", 42, 10_000),  # beyond its end
        struct.pack("<2sHIHI", b"II", 42, 8, 0, 8),  # a chain that closes on itself
    ],
)
def test_a_file_that_is_no_tiff_counts_as_one_page(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    assert pages(path) == 1


def test_a_file_that_cannot_be_read_counts_as_one_page(tmp_path: Path) -> None:
    assert pages(tmp_path / "none.tif") == 1
