"""A camera's form says what line.yaml would, and gives back what it was given."""

import pytest
from pydantic import JsonValue

from andon.cameras.edits import merged
from andon.cameras.sections import Section
from andon.errors import ConfigError
from sinks.board.camera_form import CameraForm

SECTION: Section = {
    "url": "rtsp://10.0.0.5/s",
    "fps": 12.5,
    "roi": [0, 0, 640, 480],
    "enabled": False,
    "health": {"frozen_s": 9},
}


def sent(**fields: str) -> CameraForm:
    return CameraForm.sent("press-1", fields)


def test_a_form_that_nobody_touches_changes_nothing() -> None:
    form = CameraForm.of("press-1", SECTION)
    again = CameraForm.sent("press-1", {**form.fields, "others": form.others})
    assert again.section() == SECTION
    assert again.changes(SECTION) == {}


@pytest.mark.parametrize(
    "value", [True, 7, 0.5, "", "no", "12", "a: b", "1e3", "line one\nline two", "ä", [1, 2], {"b": [{}]}]
)
def test_any_other_setting_comes_back_as_it_was(value: JsonValue) -> None:
    section: Section = {"url": "clip.mp4", "other": value}
    form = CameraForm.of("press-1", section)
    assert CameraForm.sent("press-1", {**form.fields, "others": form.others}).section() == section


def test_a_form_changes_what_the_person_has_changed() -> None:
    form = sent(url="rtsp://10.0.0.5/s", fps="10", others="health.frozen_s=3\nloop=true")
    changes = form.changes(SECTION)
    assert changes == {"roi": None, "enabled": None, "health": None, "fps": 10, "health.frozen_s": 3, "loop": True}
    after = merged(SECTION, changes)
    assert after == {"url": "rtsp://10.0.0.5/s", "fps": 10, "loop": True, "health": {"frozen_s": 3}}


@pytest.mark.parametrize("others", ["fps=3", "id=press-2", "loop", "roi: [0, 0, 1, 1]"])
def test_a_line_that_means_nothing_or_twice_the_same_is_refused(others: str) -> None:
    with pytest.raises(ConfigError):
        sent(url="clip.mp4", others=others).section()


def test_a_text_stays_a_text() -> None:
    assert sent(url="usb:0", site="12").section() == {"url": "usb:0", "site": "12"}
