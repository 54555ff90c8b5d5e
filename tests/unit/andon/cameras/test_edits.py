"""What a person changes of a camera."""

import pytest
from pydantic import JsonValue

from andon.cameras.edits import Edit, assignments, checked, merged, unknown
from andon.errors import ConfigError, FatalError
from andon.messages import CameraConfig
from andon.settings import Settings
from tests.fakes import START

LINE = Settings.model_validate({"pools": {"default": {}, "fine": {}}})
URL = "rtsp://viewer:${CAMERA_PASSWORD}@10.0.0.5/stream1"


def config(**settings: JsonValue) -> CameraConfig:
    return CameraConfig(camera_id="press-7", settings={"url": URL, **settings}, at=START)


def test_values_are_read_as_yaml_reads_them() -> None:
    texts = ["fps=10", "enabled=false", "roi=[0, 0, 64, 48]", "url=rtsp://h/a?b=c", "ca_file=null", "usb.width=640"]
    assert assignments(texts) == {
        "fps": 10,
        "enabled": False,
        "roi": [0, 0, 64, 48],
        "url": "rtsp://h/a?b=c",
        "ca_file": None,
        "usb.width": 640,
    }


@pytest.mark.parametrize(
    ("text", "expected"), [("fps", "fps: expected KEY=VALUE"), ("roi=[1", "roi: the value is not")]
)
def test_what_is_no_setting_is_one_line_without_its_value(text: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        assignments([text])


def test_a_dot_leads_into_a_section_and_null_takes_a_key_away() -> None:
    section: dict[str, JsonValue] = {"url": URL, "fps": 10, "health": {"frozen_s": 5}}
    after = merged(section, {"health.dark_level": 3, "usb.fps": 30, "fps": None})
    assert after == {"url": URL, "health": {"frozen_s": 5, "dark_level": 3}, "usb": {"fps": 30}}
    assert section == {"url": URL, "fps": 10, "health": {"frozen_s": 5}}
    assert merged(section, {"health.frozen_s": None, "usb.controls.gain": 4}) == {
        "url": URL,
        "fps": 10,
        "usb": {"controls": {"gain": 4}},
    }


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"url": URL, "fpss": 10}, "camera press-7: fpss: no such key; did you mean `fps`?"),
        ({"url": URL, "fps": 0}, "camera press-7: fps: Input should be greater than 0"),
        (
            {"url": URL, "health": {"frozn_s": 1}},
            "camera press-7: health.frozn_s: no such key; did you mean `frozen_s`?",
        ),
        ({"url": URL, "pool": "fin"}, "camera press-7 is in pool 'fin'; the pools are: default, fine"),
        ({"url": "rtsp://viewer:gEh31m@10.0.0.5/a"}, "the url holds a password, which would be published"),
        ({}, "camera press-7: url: Field required"),
    ],
)
def test_a_mistake_is_said_in_one_line_as_in_line_yaml(section: dict[str, JsonValue], expected: str) -> None:
    with pytest.raises(ConfigError) as raised:
        checked("press-7", section, LINE)
    assert str(raised.value).startswith(expected)
    assert "\n" not in str(raised.value)
    assert "gEh31m" not in str(raised.value)


def test_a_section_that_is_right_needs_no_secret_here() -> None:
    section: dict[str, JsonValue] = {"url": URL, "fps": 10, "pool": "fine"}
    assert checked("press-7", section, LINE) == section


def test_an_id_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="camera press 7: id: "):
        checked("press 7", {"url": URL}, LINE)


def test_a_change_is_made_to_the_camera_that_the_person_saw() -> None:
    edit = Edit("press-7", config(fps=25), config(fps=10))
    assert edit(config(fps=25)) == config(fps=10)
    edit.require_done()


def test_a_start_of_the_line_that_names_the_same_camera_is_no_change_by_somebody_else() -> None:
    edit = Edit("press-7", config(fps=25), config(fps=10))
    assert edit(config(fps=25).model_copy(update={"origin": "line line.yaml"})) == config(fps=10)
    edit.require_done()


def test_what_somebody_else_has_changed_meanwhile_stands_and_the_second_person_hears_so() -> None:
    for theirs in (config(fps=5), None):
        edit = Edit("press-7", config(fps=25), config(fps=10))
        assert edit(theirs) == theirs
        with pytest.raises(FatalError, match="somebody else has just changed it, so your change was not made"):
            edit.require_done()


def test_a_writer_that_asks_again_after_its_own_record_stood_gets_the_same_answer() -> None:
    edit = Edit("press-7", config(fps=25), config(fps=10))
    assert edit(config(fps=25)) == config(fps=10)
    assert edit(config(fps=5)) == config(fps=5)
    assert edit(config(fps=25)) == config(fps=25)
    with pytest.raises(FatalError):
        edit.require_done()


def test_two_who_want_the_same_are_of_one_mind() -> None:
    edit = Edit("press-7", config(fps=25), config(fps=10))
    assert edit(config(fps=10)) == config(fps=10)
    edit.require_done()
    Edit("press-7", config(), None)(None)


def test_a_camera_that_is_not_there_is_named_with_the_one_that_was_meant() -> None:
    assert (
        str(unknown("pres-7", ["press-7", "oven-1"])) == "camera pres-7: there is no such camera; did you mean press-7?"
    )
    assert "`andon camera list` shows them" in str(unknown("x", ["press-7"]))
    assert "there is none yet" in str(unknown("x", []))
