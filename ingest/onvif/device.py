"""Asks an ONVIF camera for its media profiles and their streams.

The library brings the WSDL files along and loads nothing from the network. Source: ONVIF Core Specification 5.9.4
(logins), Media Service Specification 5.2 (profiles) and 5.15 (stream addresses).
"""

import asyncio
import errno
import logging
import os
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

import aiohttp
from zeep.exceptions import Error, Fault, TransportError

from ingest.onvif.login import OnvifLogin
from ingest.onvif.probing import PORTS, Answer, plain
from ingest.sources.source import SourceError

MOST_PROFILES = 16
MEDIA = "http://www.onvif.org/ver10/media/wsdl"
CODECS = {"H264": "h264", "H265": "hevc", "JPEG": "mjpeg", "MPEG4": "mpeg4"}
"""ONVIF's names, and those that `andon camera test` prints."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One of a camera's streams, as the camera describes it."""

    name: str
    url: str
    """Where the stream is, as the camera says it, without a login."""
    codec: str = ""
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    kbps: int | None = None
    keyframe_s: float | None = None
    """Seconds from one keyframe to the next."""


@dataclass(frozen=True, slots=True)
class OnvifDevice:
    answer: Answer
    model: str = ""
    """Manufacturer and model."""
    profiles: tuple[Profile, ...] = ()
    fault: str = ""
    """Why it did not say more, in one line; empty: it said all."""


async def ask(answer: Answer, login: OnvifLogin | None, limit_s: float) -> OnvifDevice:
    """What the camera says of itself within `limit_s`. A fault of the camera's stands in the result."""
    try:
        async with asyncio.timeout(limit_s):
            return await _ask(answer, login)
    except TimeoutError:
        fault = f"no answer within {limit_s:g} s"
    except SourceError as error:
        fault = str(error)
    except (Error, aiohttp.ClientError, OSError) as error:
        fault = _explain(error, with_login=login is not None)
    except Exception as error:  # whatever it sends, the other cameras are asked all the same
        fault = f"its answers can't be understood ({type(error).__name__})"
    return OnvifDevice(answer, answer.model, fault=fault)


def _explain(error: BaseException, *, with_login: bool) -> str:
    subcodes = [str(code) for code in error.subcodes or ()] if isinstance(error, Fault) else []
    refused = any("NotAuthorized" in text for text in [*subcodes, str(error)])
    if refused or (isinstance(error, TransportError) and error.status_code in (401, 403)):
        return "it refuses this login: check --login" if with_login else "it wants a login: --login 'USER:${VARIABLE}'"
    if isinstance(error, Fault):
        return f"it refuses: {plain(error.message)}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"it can't be reached ({os.strerror(error.os_error.errno or errno.EHOSTUNREACH)})"
    if isinstance(error, aiohttp.ClientError | OSError):
        return f"the connection broke off ({type(error).__name__})"
    return f"what answers there is no ONVIF camera ({type(error).__name__})"


async def _ask(answer: Answer, login: OnvifLogin | None) -> OnvifDevice:
    camera = _camera(answer, login)
    try:
        await camera.update_xaddrs()
        _stay_at_home(camera, answer)
        if MEDIA not in camera.xaddrs:
            raise SourceError("it has no media service that this command knows (ONVIF Media, ver10)")
        device, media = await camera.create_devicemgmt_service(), await camera.create_media_service()
        known = "" if login is not None else "authless_"
        profiles = await getattr(media, f"{known}GetProfiles")() or ()
        about = await getattr(device, f"{known}GetDeviceInformation")()
        streams = [await _profile(getattr(media, f"{known}GetStreamUri"), item) for item in profiles[:MOST_PROFILES]]
    finally:
        await camera.close()
    return OnvifDevice(answer, plain(f"{about.Manufacturer} {about.Model}"), tuple(streams))


def _camera(answer: Answer, login: OnvifLogin | None) -> Any:
    with ExitStack() as stack:  # at its import the library would give the whole program a log on stderr
        root, silent = logging.getLogger(), logging.NullHandler()
        root.addHandler(silent)
        stack.callback(root.removeHandler, silent)
        from onvif import client  # noqa: PLC0415

        from ingest.onvif.transport import BoundedTransport  # noqa: PLC0415
    client.AsyncTransportProtocolErrorHandler = BoundedTransport  # the library takes no other by its parameters
    url = urlsplit(answer.url)
    user, password = (login.user, login.password) if login else ("", None)
    host = answer.url.rpartition(":")[0]
    # many cameras' clocks are wrong, and a login is good for some seconds of the camera's own
    return client.ONVIFCamera(host, url.port, user, password, no_cache=True, adjust_time=True)


def _stay_at_home(camera: Any, answer: Answer) -> None:
    """The login goes to this camera only, whatever host it names for its services."""
    host = urlsplit(answer.url).netloc.rpartition(":")[0]
    for kind, url in camera.xaddrs.items():
        parts = urlsplit(url)
        camera.xaddrs[kind] = parts._replace(netloc=f"{host}:{parts.port or PORTS[parts.scheme]}").geturl()


async def _profile(stream_uri: Any, profile: Any) -> Profile:
    setup = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
    found = await stream_uri({"StreamSetup": setup, "ProfileToken": profile.token})
    video = profile.VideoEncoderConfiguration
    where = Profile(plain(profile.Name), _bare(urlsplit(str(found.Uri).strip())))
    return where if video is None else _described(where, video)


def _bare(url: SplitResult) -> str:
    """The url without a login, and without a reference to a secret of ours that it would be filled with later."""
    return url._replace(netloc=url.netloc.rpartition("@")[2]).geturl().replace("${", "%24%7B")


def _described(where: Profile, video: Any) -> Profile:
    encoding, rate = str(video.Encoding), video.RateControl
    fps = float(rate.FrameRateLimit) if rate is not None and rate.FrameRateLimit else None
    detail = video.H264 if encoding == "H264" else None
    interval = detail.GovLength / fps if detail is not None and detail.GovLength and fps else None
    return Profile(
        where.name,
        where.url,
        CODECS.get(encoding, plain(encoding).lower()),
        video.Resolution.Width if video.Resolution is not None else None,
        video.Resolution.Height if video.Resolution is not None else None,
        fps,
        rate.BitrateLimit if rate is not None else None,
        interval,
    )
