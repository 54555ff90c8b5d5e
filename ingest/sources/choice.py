"""Chooses the kind of source that a url names."""

from andon.clock import Clock
from andon.settings import CameraSettings, GenicamSettings, UsbSettings
from ingest.sources.genicam import GenicamSource
from ingest.sources.genicam_device import AravisDevice
from ingest.sources.http_mjpeg import HttpSource
from ingest.sources.images import ImageSource
from ingest.sources.looped import LoopedSource
from ingest.sources.pyav import PyavSource
from ingest.sources.source import FrameSource, SourceError
from ingest.sources.urls import Address, parse
from ingest.sources.usb import UsbSource

RAW = ("usb", "gige", "usb3")
"""Kinds whose pictures have to be encoded here."""


def open_source(camera: CameraSettings, clock: Clock) -> FrameSource:
    """Open the camera at its url. Blocks, usually for at most the open timeout.

    Raises:
        SourceError: one line with the reason, without a password.
    """
    address = parse(camera.url.get_secret_value())
    if camera.encoding == "passthrough" and address.kind in RAW:
        raise SourceError(f"{address.shown}: it sends raw pictures, which can't be passed on: set encoding to auto")
    if address.kind in ("file", "images") and camera.loop:
        return LoopedSource(lambda: _open_once(address, camera, clock))
    return _open_once(address, camera, clock)


def _open_once(address: Address, camera: CameraSettings, clock: Clock) -> FrameSource:
    match address.kind:
        case "rtsp" | "file":
            return PyavSource(address, camera, clock)
        case "http":
            return HttpSource(address, camera, clock)
        case "images":
            return ImageSource(address, camera)
        case "usb":
            return UsbSource(address, settings=camera.usb or UsbSettings())
        case "gige" | "usb3":
            settings = camera.genicam or GenicamSettings()
            return GenicamSource(address, camera, clock, AravisDevice(address, settings, camera.open_timeout_s, clock))
