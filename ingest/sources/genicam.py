"""An industrial camera: GigE Vision or USB3 Vision, through Aravis.

Its pictures carry the time of the camera's own clock. What did not arrive whole is never shown: a picture with missing
packets is a damaged one, and a gap in the camera's frame ids stands for pictures that were taken and are lost; each is
delivered without pixels, so that it is numbered and counted.
"""

from collections import deque
from dataclasses import replace
from functools import partial

import numpy as np

from andon.clock import Clock
from andon.pictures.depth import bits_used
from andon.settings import CameraSettings, GenicamSettings
from ingest.sources.frame_ids import FrameIds, RestartedError
from ingest.sources.genicam_device import UNKNOWN, WHOLE, DeviceInfo, GenicamDevice, GenicamPicture
from ingest.sources.pixel_formats import FORMATS, PixelFormat, size_bytes, to_bgr
from ingest.sources.refusals import noted
from ingest.sources.source import NoPictureYetError, Picture, SilentError, SourceError, SourceInfo, next_picture
from ingest.sources.timeline import USUAL_FPS
from ingest.sources.urls import Address

SLICE_S = 0.5
"""A lost camera, and the stop of one that nothing triggers, is noticed after this time at the latest."""
LOST = "it can't be controlled any more (unplugged, without power, or taken over by an application?)"
ADVICE = "docs/cameras.md says what to do against lost packets"


class GenicamSource:
    """Owns the device, and closes it."""

    def __init__(self, address: Address, camera: CameraSettings, clock: Clock, device: GenicamDevice) -> None:
        """Raises SourceError: the camera sends no format that is read."""
        self._shown = address.shown
        self._camera = camera
        self._settings = camera.genicam or GenicamSettings()
        self._clock = clock
        self._device = device
        info = device.info
        self._interval_s = 1 / (info.fps or USUAL_FPS)
        self._info = SourceInfo(
            info.pixel_format_name, info.width, info.height, info.fps, "camera", tuple(noted(info.refusals))
        )
        self._ids = FrameIds()
        self._underruns = 0
        self._ready: deque[Picture] = deque()
        self._last_s: float | None = None
        self._own_clock: bool | None = None
        """Whether its pictures carry the camera's time. None: no picture has come."""
        self._looked = False
        self._heard_s = clock.monotonic()
        if info.pixel_format not in FORMATS:
            device.close()
            raise SourceError(f"{self._shown}: {_unreadable(info)}")

    @property
    def info(self) -> SourceInfo:
        return self._info

    def read(self) -> Picture | None:
        return next_picture(self)

    def try_read(self) -> Picture | None:
        if not self._ready:
            delivery = self._delivery()
            self._ready.extend(self._missing(delivery))
            self._ready.append(self._picture(delivery))
        return self._ready.popleft()

    def close(self) -> None:
        self._device.close()

    def _delivery(self) -> GenicamPicture:
        """Waits for it. Raises SourceError, or NoPictureYetError if the camera is triggered."""
        began_s = self._clock.monotonic()
        while True:
            delivery = self._device.take(min(SLICE_S, self._camera.read_timeout_s))
            now_s = self._clock.monotonic()
            if delivery is not None:
                self._heard_s = now_s
                return delivery
            if self._device.lost:
                raise SourceError(f"{self._shown}: {LOST}")
            if self._settings.triggered:
                self._wait_for_trigger(now_s)
            elif now_s - began_s >= self._camera.read_timeout_s:
                raise self._silence()

    def _wait_for_trigger(self, now_s: float) -> None:
        """Raises NoPictureYetError as long as the camera answers."""
        if now_s - self._heard_s >= self._camera.read_timeout_s:
            if not self._device.answers():
                raise self._silence()
            self._heard_s = self._clock.monotonic()
        raise NoPictureYetError(f"waits for its trigger ({self._settings.trigger})")

    def _silence(self) -> SilentError:
        self._device.give_up()
        return SilentError(f"{self._shown}: no picture for {self._camera.read_timeout_s:g} s")

    def _missing(self, delivery: GenicamPicture) -> list[Picture]:
        """Those that were taken before this one and have not come, spread evenly over the time between."""
        if delivery.status != WHOLE and delivery.frame_id == UNKNOWN:
            self._ids.unknown()
            return []
        try:
            count = self._ids.missing_before(delivery.frame_id)
        except RestartedError as error:
            raise SourceError(f"{self._shown}: {error}: it has begun to count anew") from None
        if not count:
            return []
        underruns, self._underruns = self._underruns, self._device.underruns()
        why = (
            "this host had no free buffer for it: raise genicam.buffers, or lower the camera's rate"
            if self._underruns > underruns
            else "no packet of it arrived"
        )
        return [Picture(at_s, None, corrupt=True, damage=why) for at_s in self._between(delivery, count)]

    def _between(self, delivery: GenicamPicture, count: int) -> list[float | None]:
        """The times of `count` pictures before this one."""
        last_s, at_s = self._last_s, self._time(delivery)
        if last_s is None or at_s is None:
            return [None] * count
        return [last_s + (at_s - last_s) * index / (count + 1) for index in range(1, count + 1)]

    def _time(self, delivery: GenicamPicture) -> float | None:
        """By the camera's clock; by this host's if the camera's pictures carry none. A damaged one may carry any.

        None: it carries none, and came before any that could say whose clock counts.
        """
        if self._own_clock is None:
            if delivery.status != WHOLE and not delivery.timestamp_s:
                return None
            self._own_clock = delivery.timestamp_s > 0
            if not self._own_clock:
                self._note("its pictures carry no time: this host's at arrival dates its frames")
        at_s = delivery.timestamp_s if self._own_clock else delivery.arrived_s
        if self._last_s is not None and delivery.status != WHOLE and at_s <= self._last_s:
            return self._last_s + self._interval_s
        return at_s

    def _picture(self, delivery: GenicamPicture) -> Picture:
        at_s = self._time(delivery)
        self._last_s = self._last_s if at_s is None else at_s
        form = FORMATS.get(delivery.pixel_format)
        size = delivery.width, delivery.height
        damage = "" if delivery.status == WHOLE else f"{delivery.status}: {ADVICE}"
        if not damage and form is None:
            damage = f"pixel format 0x{delivery.pixel_format:08x}, which is not read"
        if not damage and form is not None and len(delivery.data) < size_bytes(form, size, delivery.padding):
            damage = f"{len(delivery.data)} bytes are no picture of {size[0]}x{size[1]} {form.name}"
        if damage or form is None:
            return Picture(at_s, None, corrupt=True, damage=damage)
        self._look(form, size, delivery)
        bits = self._bits(form)
        return Picture(at_s, partial(to_bgr, delivery.data, form, size, bits, delivery.padding))

    def _look(self, form: PixelFormat, size: tuple[int, int], delivery: GenicamPicture) -> None:
        """A whole picture says what the camera's description may not."""
        if size != (self._info.width, self._info.height):
            self._info = replace(self._info, width=size[0], height=size[1])
        if self._looked:
            return
        self._looked = True
        if form.bits == 16 and self._bits(form) is None:
            used = bits_used(np.frombuffer(delivery.data, "<u2", size[0] * size[1]))
            if used < 16:
                self._note(
                    f"its first picture uses {used} of 16 bits: if it looks dark, and the sensor has no more, set "
                    f"genicam.bits to {used}"
                )

    def _note(self, note: str) -> None:
        self._info = replace(self._info, notes=(*self._info.notes, note))

    def _bits(self, form: PixelFormat) -> int | None:
        """Significant bits of a sample, if the format's name does not say them."""
        return self._settings.bits or (self._device.info.bits if form.bits == 16 else None)


def _unreadable(info: DeviceInfo) -> str:
    names = {form.name for form in FORMATS.values()}
    readable = [name for name in info.formats if name in names]
    choice = f"set genicam.pixel_format to {', '.join(readable)}" if readable else "it can be set to none that is read"
    return f"it sends {info.pixel_format_name}, which is not read: {choice}"
