"""The choice between the kinds of source."""

from andon.clock import Clock
from andon.settings import CameraSettings
from ingest.sources.images import ImageSource
from ingest.sources.looped import LoopedSource
from ingest.sources.pyav import PyavSource
from ingest.sources.source import FrameSource
from ingest.sources.urls import Address, parse
from ingest.sources.usb import UsbSource


def open_source(camera: CameraSettings, clock: Clock) -> FrameSource:
    """Open what the camera's url names. Blocks, at most for about the open timeout.

    Raises:
        SourceError: in one line, why not; it shows no password.
    """
    address = parse(camera.url.get_secret_value())
    if address.kind in ("file", "images") and camera.loop:
        return LoopedSource(lambda: _open_once(address, camera, clock))
    return _open_once(address, camera, clock)


def _open_once(address: Address, camera: CameraSettings, clock: Clock) -> FrameSource:
    match address.kind:
        case "rtsp" | "file":
            return PyavSource(address, camera, clock)
        case "images":
            return ImageSource(address, camera)
        case "usb":
            return UsbSource(address)
