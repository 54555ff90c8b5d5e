"""Cases of USB cameras: what they are asked for, what they refuse, and the names under which they are found again."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from andon.settings import CameraSettings, UsbSettings
from ingest.sources.urls import parse
from ingest.sources.usb import CONTROLS, UsbSource
from tests.cases.case import Case, rows

WIDTH, HEIGHT, FPS, FORMAT = (
    cv2.CAP_PROP_FRAME_WIDTH,
    cv2.CAP_PROP_FRAME_HEIGHT,
    cv2.CAP_PROP_FPS,
    cv2.CAP_PROP_FOURCC,
)
EXPOSURE, AUTO_EXPOSURE = cv2.CAP_PROP_EXPOSURE, cv2.CAP_PROP_AUTO_EXPOSURE
YUYV, MJPG = (int.from_bytes(name, "little") for name in (b"YUYV", b"MJPG"))


class Webcam:
    """Gives 1080p as MJPG and 640x480 as YUYV. Its exposure is locked while it is automatic."""

    def __init__(self) -> None:
        self.values: dict[int, float] = {WIDTH: 640, HEIGHT: 480, FPS: 30, FORMAT: YUYV, EXPOSURE: 157}
        self.values[AUTO_EXPOSURE] = 3

    def isOpened(self) -> bool:  # noqa: N802  # OpenCV's name
        return True

    def get(self, propId: int) -> float:  # noqa: N803  # OpenCV's name
        return self.values.get(propId, -1.0)

    def set(self, propId: int, value: float) -> bool:  # noqa: N803  # OpenCV's name
        accepted = propId in self.values and {
            WIDTH: value <= 640 or (self.values[FORMAT] == MJPG and value <= 1920),
            HEIGHT: value <= 480 or (self.values[FORMAT] == MJPG and value <= 1080),
            FPS: value <= 30,
            FORMAT: value in (YUYV, MJPG),
            EXPOSURE: self.values[AUTO_EXPOSURE] == 1,
            AUTO_EXPOSURE: value in (1, 3),
        }.get(propId, False)
        if accepted:
            self.values[propId] = value
        return accepted

    def read(self) -> tuple[bool, object]:
        return True, np.zeros((int(self.values[HEIGHT]), int(self.values[WIDTH]), 3), np.uint8)

    def release(self) -> None:
        """Nothing is held."""


def opened(settings: dict[str, object], webcam: Webcam, url: str = "usb:/dev/video0") -> UsbSource:
    return UsbSource(parse(url), webcam, UsbSettings.model_validate(settings))


REQUESTS: tuple[Case[tuple[dict[str, object], tuple[int, int], str | None]], ...] = (
    Case("a camera that is asked for nothing delivers its default", "opencv#9540", ({}, (640, 480), None)),
    Case(
        "a size that only one pixel format carries is set after the format",
        "go2rtc#1237",
        ({"width": 1920, "height": 1080, "fps": 30, "pixel_format": "MJPG"}, (1920, 1080), None),
    ),
    Case(
        "a size that the camera does not give is said to be refused",
        "opencv#9540",
        (
            {"width": 1920, "height": 1080},
            (640, 480),
            "the camera did not accept width 1920 (it gives 640), height 1080 (it gives 480)",
        ),
    ),
    Case(
        "a pixel format that the camera does not know is said to be refused",
        "go2rtc#1237",
        ({"pixel_format": "H264"}, (640, 480), "the camera did not accept pixel_format H264 (it gives YUYV)"),
    ),
    Case(
        "a rate that the camera does not reach is said to be refused",
        "go2rtc#1237",
        ({"fps": 120}, (640, 480), "the camera did not accept fps 120 (it gives 30)"),
    ),
    Case(
        "a control is set after its automatic has been switched off",
        "seen by hand",
        ({"controls": {"exposure": 80, "auto_exposure": 1}}, (640, 480), None),
    ),
    Case(
        "a control that is locked is said to be refused",
        "seen by hand",
        ({"controls": {"exposure": 80}}, (640, 480), "the camera did not accept exposure 80 (it gives 157)"),
    ),
    Case(
        "a control that the camera does not have is said to be refused",
        "seen by hand",
        ({"controls": {"zoom": 2}}, (640, 480), "the camera did not accept zoom 2 (it gives -1)"),
    ),
)


@rows(REQUESTS)
def test_a_usb_camera_is_asked(given: tuple[dict[str, object], tuple[int, int], str | None]) -> None:
    settings, size, refused = given
    source = opened(settings, Webcam())
    assert (source.info.width, source.info.height) == size
    assert source.info.notes == (() if refused is None else (refused,))


def test_every_control_of_the_settings_has_a_number_of_opencv() -> None:
    named = UsbSettings.model_validate({"controls": dict.fromkeys(CONTROLS, 1.0)})
    assert named.controls.keys() == CONTROLS.keys()


@pytest.mark.parametrize(
    "values", [{"width": 640}, {"height": 480}, {"pixel_format": "JPEG2000"}, {"controls": {"x": 1}}]
)
def test_half_a_size_and_unknown_names_are_mistakes_in_the_settings(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CameraSettings.model_validate({"id": "c", "url": "usb:0", "usb": values})


def test_a_camera_that_is_named_by_its_number_is_shown_the_name_that_it_keeps(tmp_path: Path) -> None:
    (tmp_path / "usb-046d_C920_1234-video-index0").symlink_to("../../video2")
    (tmp_path / "usb-other-video-index0").symlink_to("../../video0")
    named = f"usb:{tmp_path}/usb-046d_C920_1234-video-index0 is always this one"
    (note,) = UsbSource(parse("usb:2"), Webcam(), names=tmp_path).info.notes
    assert note.endswith(named)
    assert UsbSource(parse("usb:1"), Webcam(), names=tmp_path).info.notes == ()
    assert UsbSource(parse("usb:/dev/v4l/by-id/x"), Webcam(), names=tmp_path).info.notes == ()
    assert UsbSource(parse("usb:2"), Webcam(), names=tmp_path / "none").info.notes == ()
