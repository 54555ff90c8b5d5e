"""Cases of names that people give to classes and cameras: evidence shows them in their own script."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageDraw, features

from sinks.channels import lettering
from sinks.channels.annotation import annotated
from sinks.channels.lettering import Style, length_px, runs, write
from tests.cases.case import Case, rows
from tests.outbox import a_defect

SIZE_PX = 40
HIEROGLYPH = "\U00013000"
"""A letter that none of the fonts has: a box is drawn in its place."""
NAMES = (
    Case("Chinese is readable", "yolov5#4947", "划痕 凹陷 缺料"),
    Case("traditional Chinese is readable", "yolov5#4947", "劃痕 壓傷"),
    Case("Japanese is readable", "yolov5#4947", "キズ へこみ 汚れ"),
    Case("Korean is readable", "yolov5#4947", "긁힘 찍힘"),
    Case("Cyrillic is readable", "yolov5#4947", "царапина вмятина їґ"),
    Case("Arabic is readable", "yolov5#4947", "خدش عميق"),
    Case("Persian is readable", "yolov5#4947", "خراش می\u200cشود"),
    Case("Hebrew is readable", "seen by hand", "שריטה"),
    Case("umlauts and other accents are readable", "yolov5#4947", "Kratzer Äß µ ąęłż řěš ñ ø æ İı"),
    Case("Vietnamese is readable", "seen by hand", "vết xước"),
    Case("Greek is readable", "seen by hand", "γρατζουνιά"),
    Case("Devanagari is readable", "seen by hand", "खरोंच"),
    Case("Thai is readable", "seen by hand", "รอยขีดข่วน"),
    Case("signs are readable", "seen by hand", "Ø 5 ± 0,1 mm² → ≥ 3 °C №"),
    Case("several scripts in one name are readable", "seen by hand", "划痕 scratch خدش царапина"),
)


def drawn(text: str) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    image = Image.new("L", (int(length_px(text, SIZE_PX)) + 4, 2 * SIZE_PX))
    write(ImageDraw.Draw(image), (2, 4), text, Style(SIZE_PX, "white"))
    return np.asarray(image)


@rows(NAMES)
def test_a_name_has_no_box_in_place_of_a_letter(given: str) -> None:
    boxes = [
        letter
        for letter in given
        if not letter.isspace() and letter not in lettering.JOINERS and np.array_equal(drawn(letter), drawn(HIEROGLYPH))
    ]
    assert boxes == []
    assert "".join(run.text for run in runs(given)) == given
    assert drawn(given).any()


@rows(NAMES)
def test_a_name_stays_on_its_line(given: str) -> None:
    inked = np.flatnonzero(drawn(given).any(axis=1))
    assert inked[0] >= 0
    assert inked[-1] < 4 + 1.5 * SIZE_PX


def test_a_letter_that_no_font_has_is_a_box() -> None:
    assert drawn(HIEROGLYPH).any()


def test_evidence_shows_the_name_of_the_class() -> None:
    out = BytesIO()
    Image.new("RGB", (640, 480), "grey").save(out, "JPEG")
    pictures = {
        label: annotated(out.getvalue(), a_defect().model_copy(update={"label": label}), 90)
        for label in ("划痕", "凹陷", HIEROGLYPH * 2)
    }
    assert len(set(pictures.values())) == len(pictures)


def test_the_words_of_an_arabic_name_are_one_run_and_digits_behind_it_are_not() -> None:
    assert [run.text for run in runs("MAJOR  خدش عميق  90%")] == ["MAJOR  ", "خدش عميق", "  90%"]


@pytest.mark.skipif(not features.check("raqm"), reason="Pillow finds no FriBiDi: apt-get install libfribidi0")
def test_the_letters_of_arabic_are_joined() -> None:
    assert length_px("بيت", SIZE_PX) < 0.9 * length_px("ب\u200cي\u200cت", SIZE_PX)


def test_without_fribidi_the_letters_of_arabic_are_in_the_right_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lettering, "_SHAPES", False)
    assert lettering._ordered("خدش") == "شدخ"
    assert lettering._ordered("scratch") == "scratch"


def test_a_line_break_in_a_name_is_left_out() -> None:
    assert [run.text for run in runs("a\nb\0c\u202e")] == ["abc"]


def test_without_the_packages_a_latin_name_is_drawn_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lettering, "_installed", lambda: ())
    lettering._face.cache_clear()
    try:
        assert drawn("scratch").any()
    finally:
        lettering._face.cache_clear()
