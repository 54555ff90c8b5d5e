"""A camera on this machine, through OpenCV."""

import sys
from typing import Protocol

import cv2
import numpy as np

from andon.pictures.picture import Bgr
from ingest.sources.source import Picture, SourceError, SourceInfo
from ingest.sources.urls import Address


class Device(Protocol):
    """The part of cv2.VideoCapture that is used."""

    def isOpened(self) -> bool: ...  # noqa: N802  # OpenCV's name
    def read(self) -> tuple[bool, object]: ...
    def get(self, propId: int) -> float: ...  # noqa: N803  # OpenCV's name
    def release(self) -> None: ...


class UsbSource:
    """Its pictures carry no time: the host's at arrival counts. OpenCV's V4L2 stops waiting after 10 s."""

    def __init__(self, address: Address, device: Device | None = None) -> None:
        """Raises SourceError: there is no such device, or another program holds it."""
        self._shown = address.shown
        self._device = device if device is not None else _capture(int(address.target))
        if not self._device.isOpened():
            raise SourceError(f"{address.shown}: no such camera, or another program uses it")
        width, height = (int(self._device.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        fps = self._device.get(cv2.CAP_PROP_FPS)
        self._info = SourceInfo("raw", width, height, fps if fps > 0 else None, "host")

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


def _capture(number: int) -> Device:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # it would warn at each attempt
    backend = cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY
    return cv2.VideoCapture(number, backend)
