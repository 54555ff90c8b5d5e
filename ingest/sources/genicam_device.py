"""One open industrial camera: what the line needs of it, and Aravis' camera as that.

Aravis' calls let other threads run while they block; their own time limits are seconds.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address
from typing import Any, Protocol, TypeVar

from andon.clock import Clock
from andon.settings import GenicamSettings
from ingest.sources.aravis import library
from ingest.sources.genicam_search import find
from ingest.sources.genicam_setup import set_up
from ingest.sources.refusals import Refusal
from ingest.sources.source import SourceError
from ingest.sources.urls import Address

T = TypeVar("T")
WHOLE, UNKNOWN = "success", 0
IMAGES = ("image", "extended-chunk-data")
"""Kinds of payload that hold one picture, by Aravis' names."""
LEAST_SOCKET_BUFFER = 2_000_000
"""Bytes, at least a picture. The kernel gives at most net.core.rmem_max, and its default is a fraction of a picture."""
DEPTHS = range(9, 17)
"""Bits that a sample of two bytes may have."""


@dataclass(frozen=True, slots=True)
class GenicamPicture:
    """A picture as the camera sent it, whole or not."""

    status: str
    """WHOLE, or Aravis' word for what is wrong with it."""
    frame_id: int
    """UNKNOWN, if the packet that says it did not arrive."""
    timestamp_s: float
    """By the camera's clock; 0: it gives none, or that packet did not arrive."""
    arrived_s: float
    """By this host's clock."""
    pixel_format: int
    """PFNC's number."""
    width: int
    height: int
    padding: int
    """Bytes at the end of each row."""
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """A camera after it was set up."""

    pixel_format: int
    pixel_format_name: str
    formats: tuple[str, ...]
    """Those that it can be set to."""
    width: int
    height: int
    fps: float | None
    """None: it does not say."""
    bits: int | None
    """Significant bits of a sample. None: it does not say."""
    refusals: tuple[Refusal, ...] = ()


class GenicamDevice(Protocol):
    """Used by one thread. Whatever it raises is a SourceError."""

    @property
    def info(self) -> DeviceInfo: ...

    @property
    def lost(self) -> bool:
        """It can't be controlled any more."""
        ...

    def take(self, timeout_s: float) -> GenicamPicture | None:
        """The next picture; None: none came in time."""
        ...

    def answers(self) -> bool:
        """Asks the camera for something. Blocks for seconds if it does not answer."""
        ...

    def underruns(self) -> int:
        """Pictures so far for which this host had no free buffer."""
        ...

    def give_up(self) -> None:
        """It is silent: to close it, ask nothing of it that can be left out."""
        ...

    def close(self) -> None: ...


class AravisDevice:
    """Opened, set up, and sending."""

    def __init__(self, address: Address, settings: GenicamSettings, wait_s: float, clock: Clock) -> None:
        """Blocks. Raises SourceError, in one line: no such camera, no right to it, or it can't be understood."""
        self._aravis = library()
        self._shown = address.shown
        self._lost = threading.Event()
        self._camera: Any = None
        self._stream: Any = None
        self._signal = 0
        try:
            self._open(_device_id(address, wait_s, clock))
            refusals = set_up(self._camera, self._aravis, settings, self._failure)
            self._info = self._read_info(settings, tuple(refusals))
            self._start(settings)
        except RuntimeError as error:  # GLib.Error
            explained = self._explained(error)
            self.close()
            raise explained from None
        except BaseException:
            self.close()
            raise

    @property
    def info(self) -> DeviceInfo:
        return self._info

    @property
    def lost(self) -> bool:
        return self._lost.is_set()

    def take(self, timeout_s: float) -> GenicamPicture | None:
        buffer = self._stream.timeout_pop_buffer(round(1_000_000 * timeout_s))
        if buffer is None:
            return None
        try:
            return _delivery(buffer)
        finally:
            # Aravis writes them with a picture's first packet; if that is lost they would be those of an older picture
            buffer.set_frame_id(UNKNOWN)
            buffer.set_timestamp(0)
            self._stream.push_buffer(buffer)

    def answers(self) -> bool:
        try:
            return not self.lost and self._camera.get_payload() > 0
        except RuntimeError:  # GLib.Error
            return False

    def give_up(self) -> None:
        self._lost.set()

    def underruns(self) -> int:
        return int(self._stream.get_info_uint64_by_name("n_underruns"))

    def close(self) -> None:
        """Blocks for 8 s if the camera does not answer: Aravis itself asks three times, for 2.5 s each.

        A second call does nothing.
        """
        camera, self._camera = self._camera, None
        if camera is None:
            return
        device = camera.get_device()
        device.disconnect(self._signal)
        if self._stream is not None and not self.lost:
            _or(camera.stop_acquisition, None)
        self._stream = None  # ends its thread
        if camera.is_gv_device() and not self.lost and device.is_controller():
            _or(device.leave_control, None)

    def _open(self, device_id: str) -> None:
        lost = self._lost
        self._camera = self._aravis.Camera.new(device_id)
        # not a method: the camera would keep this object, and itself, for ever
        self._signal = self._camera.get_device().connect("control-lost", lambda _: lost.set())
        if self._camera.is_gv_device() and not self._camera.get_device().is_controller():
            raise SourceError(
                f"{self._shown}: another application controls this camera: close it there (one that has died holds it "
                "for its heartbeat, 3 s by default)"
            )

    def _read_info(self, settings: GenicamSettings, refusals: tuple[Refusal, ...]) -> DeviceInfo:
        camera = self._camera
        _, _, width, height = camera.get_region()
        rated = not settings.triggered and camera.is_frame_rate_available()
        return DeviceInfo(
            pixel_format=int(camera.get_pixel_format()) & 0xFFFF_FFFF,
            pixel_format_name=camera.get_pixel_format_as_string(),
            formats=tuple(_or(camera.dup_available_pixel_formats_as_strings, ())),
            width=width,
            height=height,
            fps=_or(camera.get_frame_rate, None) if rated else None,
            bits=self._bits(),
            refusals=refusals,
        )

    def _bits(self) -> int | None:
        largest = _or(lambda: int(self._camera.get_integer("PixelDynamicRangeMax")), 0)
        return largest.bit_length() if largest.bit_length() in DEPTHS else None

    def _start(self, settings: GenicamSettings) -> None:
        camera, aravis = self._camera, self._aravis
        self._stream, size_bytes = camera.create_stream(None, None), camera.get_payload()
        if camera.is_gv_device():
            resend = aravis.GvStreamPacketResend
            self._stream.set_property("packet-resend", resend.ALWAYS if settings.packet_resend else resend.NEVER)
            self._stream.set_property("socket-buffer", aravis.GvStreamSocketBuffer.FIXED)
            self._stream.set_property("socket-buffer-size", max(size_bytes, LEAST_SOCKET_BUFFER))
        for _ in range(settings.buffers):
            self._stream.push_buffer(aravis.Buffer.new_allocate(size_bytes))
        camera.start_acquisition()

    def _failure(self, ask: Callable[[], object]) -> str:
        """Why the camera refuses; raises SourceError: it is gone."""
        try:
            ask()
        except RuntimeError as error:  # GLib.Error, or one of the setup's own
            if self._gone(error):
                self.give_up()
                raise self._explained(error) from None
            return _text(error)
        return ""

    def _gone(self, error: RuntimeError) -> bool:
        codes = self._aravis.DeviceError
        domain, quark = getattr(error, "domain", ""), "arv-device-error-quark"
        return domain == quark and getattr(error, "code", None) in (codes.TIMEOUT, codes.NOT_CONNECTED)

    def _explained(self, error: RuntimeError) -> SourceError:
        remedy = ""
        if self._shown.startswith("usb3:") and self._camera is None:
            remedy = ": does another program use it, or has this user no right to it (docs/cameras.md)?"
        elif self._gone(error):
            remedy = ": the camera does not answer"
        return SourceError(f"{self._shown}: {_text(error)}{remedy}")


def _device_id(address: Address, wait_s: float, clock: Clock) -> str:
    """Aravis' name for the camera. One that is named by its IP address is not searched for."""
    protocol = address.kind
    assert protocol in ("gige", "usb3")
    if protocol == "gige":
        with suppress(AddressValueError):
            return str(IPv4Address(address.target))
    return find(protocol, address.target, wait_s, clock).device_id


def _delivery(buffer: Any) -> GenicamPicture:
    """A copy: the camera fills the buffer again."""
    kind, status = buffer.get_payload_type().value_nick, buffer.get_status().value_nick
    whole = status == WHOLE and kind in IMAGES
    return GenicamPicture(
        status=status if whole or status != WHOLE else f"its payload is {kind}, no image",
        frame_id=buffer.get_frame_id(),
        timestamp_s=buffer.get_timestamp() / 1e9,
        arrived_s=buffer.get_system_timestamp() / 1e9,
        pixel_format=int(buffer.get_image_pixel_format()) & 0xFFFF_FFFF if whole else 0,
        width=buffer.get_image_width() if whole else 0,
        height=buffer.get_image_height() if whole else 0,
        padding=buffer.get_image_padding()[0] if whole else 0,
        data=buffer.get_image_data() if whole else b"",
    )


def _or(call: Callable[[], T], instead: T) -> T:
    """What the camera says, or something else, if it does not."""
    try:
        return call()
    except RuntimeError:  # GLib.Error
        return instead


def _text(error: RuntimeError) -> str:
    return str(getattr(error, "message", error))
