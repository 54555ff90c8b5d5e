"""Checks of the cameras and the spool for `andon config check`: what can't be opened, and whether each one delivers."""

import asyncio
import itertools
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from andon.clock import SystemClock
from andon.errors import described
from andon.folders import unwritable
from andon.settings import CameraSettings, Settings
from ingest.building import spool_place
from ingest.encode import cropped
from ingest.sources.aravis import library
from ingest.sources.choice import RAW, open_source
from ingest.sources.encoding import decoded, travels
from ingest.sources.source import DamagedPictureError, FrameSource, SourceError
from ingest.sources.tls import tls_options
from ingest.sources.urls import INDUSTRIAL, Address, parse
from ingest.threads import on_thread

READS = 1_000
"""Pictures that may be corrupt before the first whole one."""
CameraCheck = Callable[[CameraSettings], None]
"""Raises SourceError, in one line."""


def check(settings: Settings) -> list[str]:
    """What can be said without a camera: urls, files, folders, devices, libraries, certificates, the spool's folder."""
    faults = _answers(settings, _offline)
    cameras = _enabled(settings)
    if any(spool_place(settings, camera, len(cameras)) for camera in cameras):
        faults += [f"spool.folder: {fault}" for fault in [unwritable(Path(settings.spool.folder))] if fault]
    return faults


def check_online(settings: Settings) -> list[str]:
    """Whether each camera delivers a whole picture, all at once, each within its own time limits."""
    return _answers(settings, _delivers)


def _answers(settings: Settings, ask: CameraCheck) -> list[str]:
    answers = asyncio.run(_all(_enabled(settings), ask))
    return [answer for answer in answers if answer is not None]


async def _all(cameras: Sequence[CameraSettings], ask: CameraCheck) -> list[str | None]:
    return await asyncio.gather(*(_one(camera, ask) for camera in cameras))


async def _one(camera: CameraSettings, ask: CameraCheck) -> str | None:
    """A thread that hangs in a name look-up, on a network disk or in a driver is left behind."""
    limit_s = camera.open_timeout_s + camera.keyframe_timeout_s + camera.read_timeout_s + camera.hang_grace_s
    try:
        async with asyncio.timeout(limit_s):
            await on_thread(lambda: ask(camera), f"check.{camera.id}")
    except SourceError as error:
        return f"camera {camera.id}: {error}"
    except TimeoutError:  # before the boundary: it is an Exception, too
        return f"camera {camera.id}: no answer within {limit_s:g} s"
    except Exception as error:  # the camera's boundary: the other cameras are checked all the same
        return f"camera {camera.id}: {described(error)}"
    return None


def _enabled(settings: Settings) -> list[CameraSettings]:
    with_authorities = {"ca_file": settings.camera_ca_file}
    return [
        camera if camera.ca_file is not None else camera.model_copy(update=with_authorities)
        for camera in settings.cameras
        if camera.enabled
    ]


def _offline(camera: CameraSettings) -> None:
    address = parse(camera.url.get_secret_value())
    if camera.usb is not None and address.kind != "usb":
        raise SourceError(f"{address.shown}: the section `usb` is for usb: cameras")
    if camera.genicam is not None and address.kind not in INDUSTRIAL:
        raise SourceError(f"{address.shown}: the section `genicam` is for gige: and usb3: cameras")
    if camera.encoding == "passthrough" and address.kind in RAW:
        raise SourceError(f"{address.shown}: it sends raw pictures, which can't be passed on: set encoding to auto")
    match address.kind:
        case "file" | "images":
            _fits(open_source(camera, SystemClock()), camera.roi)
        case "usb":
            _device_is_there(address)
        case "gige" | "usb3":
            library()
        case "rtsp" | "http":
            tls_options(address, camera)


def _fits(source: FrameSource, roi: tuple[int, int, int, int] | None) -> None:
    """Raises SourceError: the roi lies outside the picture. Closes the source."""
    source.read()  # it says how the pictures are turned
    source.close()
    cropped(np.empty((source.info.height, source.info.width, 3), np.uint8), roi)


def _device_is_there(address: Address) -> None:
    path = Path(address.target if address.target.startswith("/") else f"/dev/video{address.target}")
    if not path.exists():
        raise SourceError(f"{address.shown}: there is no {path}: is the camera plugged in?")
    if not path.is_char_device():
        raise SourceError(f"{address.shown}: {path} is no device")
    if not os.access(path, os.R_OK | os.W_OK):
        raise SourceError(f"{address.shown}: no permission to use {path}: add the user to the group `video`")


def _delivers(camera: CameraSettings) -> None:
    source = open_source(decoded(camera), SystemClock())
    try:
        if not camera.triggered:  # else there may be no picture until the line moves
            _first_picture(source, camera)
            travels(source.info, camera)
    finally:
        source.close()


def _first_picture(source: FrameSource, camera: CameraSettings) -> None:
    for picture in itertools.islice(iter(source.read, None), READS):
        if picture.bgr is None or picture.corrupt:
            continue
        try:
            cropped(picture.bgr(), camera.roi)
        except DamagedPictureError:
            continue
        return
    raise SourceError("it opened, but delivered no whole picture")
