"""A camera on this machine, through OpenCV."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from andon.pictures.picture import Bgr
from andon.settings import UsbSettings
from andon.settings.usb import UsbControl
from ingest.sources.refusals import Refusal, noted
from ingest.sources.source import Picture, SourceError, SourceInfo
from ingest.sources.urls import Address

CONTROLS: dict[UsbControl, int] = {
    "auto_exposure": cv2.CAP_PROP_AUTO_EXPOSURE,
    "auto_focus": cv2.CAP_PROP_AUTOFOCUS,
    "auto_white_balance": cv2.CAP_PROP_AUTO_WB,
    "backlight": cv2.CAP_PROP_BACKLIGHT,
    "brightness": cv2.CAP_PROP_BRIGHTNESS,
    "contrast": cv2.CAP_PROP_CONTRAST,
    "exposure": cv2.CAP_PROP_EXPOSURE,
    "focus": cv2.CAP_PROP_FOCUS,
    "gain": cv2.CAP_PROP_GAIN,
    "gamma": cv2.CAP_PROP_GAMMA,
    "hue": cv2.CAP_PROP_HUE,
    "saturation": cv2.CAP_PROP_SATURATION,
    "sharpness": cv2.CAP_PROP_SHARPNESS,
    "white_balance": cv2.CAP_PROP_WB_TEMPERATURE,
    "zoom": cv2.CAP_PROP_ZOOM,
}
NAMES = Path("/dev/v4l/by-id")
"""Where Linux names cameras by maker, model and serial number."""
DEFAULTS = UsbSettings()
CLOSE = 0.01
"""A value that a camera reports may differ from the wanted one by this part of it: it rounds rates."""
Wish = tuple[str, int, float]
"""A setting's name, OpenCV's number for it, and its value."""


class UsbDevice(Protocol):
    """The part of cv2.VideoCapture that is used."""

    def isOpened(self) -> bool: ...  # noqa: N802  # OpenCV's name
    def read(self) -> tuple[bool, object]: ...
    def get(self, propId: int) -> float: ...  # noqa: N803  # OpenCV's name
    def set(self, propId: int, value: float) -> bool: ...  # noqa: N803  # OpenCV's name
    def release(self) -> None: ...


class UsbSource:
    """Its pictures carry no time: the host's at arrival counts. OpenCV's V4L2 stops waiting after 10 s."""

    def __init__(
        self, address: Address, device: UsbDevice | None = None, settings: UsbSettings = DEFAULTS, names: Path = NAMES
    ) -> None:
        """Raises SourceError: there is no such device, or another program holds it."""
        self._shown = address.shown
        self._device = device if device is not None else _capture(address.target)
        if not self._device.isOpened():
            raise SourceError(f"{address.shown}: no such camera, or another program uses it")
        notes = (*noted(_refused(self._device, settings)), *_steadier_name(address, names))
        width, height = (int(self._device.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        fps = self._device.get(cv2.CAP_PROP_FPS)
        self._info = SourceInfo("raw", width, height, fps if fps > 0 else None, "host", notes)

    @property
    def info(self) -> SourceInfo:
        return self._info

    def read(self) -> Picture | None:
        delivered, pixels = self._device.read()
        if not delivered or not isinstance(pixels, np.ndarray):
            raise SourceError(f"{self._shown}: the camera stopped delivering (unplugged?)")
        bgr: Bgr = pixels
        return Picture(None, lambda: bgr)

    def close(self) -> None:
        self._device.release()


def _capture(target: str) -> UsbDevice:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # it would warn at each attempt
    backend = cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY
    return cv2.VideoCapture(int(target) if target.isdecimal() else target, backend)


def _refused(device: UsbDevice, settings: UsbSettings) -> list[Refusal]:
    """Ask the device for everything. Returns what it does not give, by what it reports afterwards."""
    wishes = list(_wishes(settings))
    for _, key, value in wishes:
        device.set(key, value)
    return [
        Refusal(name, _shown(key, value), f"it gives {_shown(key, device.get(key))}")
        for name, key, value in wishes
        if abs(device.get(key) - value) > CLOSE * abs(value)
    ]


def _wishes(settings: UsbSettings) -> Iterator[Wish]:
    """In the order in which drivers need them: the format limits the sizes, the size the rates, and a control is locked
    while its automatic runs."""
    if settings.pixel_format is not None:
        yield "pixel_format", cv2.CAP_PROP_FOURCC, _fourcc(settings.pixel_format)
    if settings.width is not None and settings.height is not None:
        yield "width", cv2.CAP_PROP_FRAME_WIDTH, settings.width
        yield "height", cv2.CAP_PROP_FRAME_HEIGHT, settings.height
    if settings.fps is not None:
        yield "fps", cv2.CAP_PROP_FPS, settings.fps
    for name in sorted(settings.controls, key=lambda name: (not name.startswith("auto_"), name)):
        yield name, CONTROLS[name], settings.controls[name]


def _fourcc(letters: str) -> int:
    """Source: V4L2, `v4l2_fourcc`: the first letter is the lowest byte."""
    return int.from_bytes(letters.encode(), "little")


def _shown(key: int, value: float) -> str:
    if key != cv2.CAP_PROP_FOURCC:
        return f"{value:g}"
    letters = int(value).to_bytes(4, "little") if 0 < value < 2**32 else b""
    return letters.decode() if letters.isalnum() else "another one"


def _steadier_name(address: Address, names: Path) -> list[str]:
    """One line with the name that this camera keeps, if it is named by its number and has one."""
    if not address.target.isdecimal():
        return []
    try:
        links = [link for link in sorted(names.iterdir()) if link.resolve().name == f"video{address.target}"]
    except OSError:
        return []
    if not links:
        return []
    return [
        f"{address.shown} may be another camera after a restart, because numbers are given in the order of discovery; "
        f"usb:{links[0]} is always this one"
    ]
