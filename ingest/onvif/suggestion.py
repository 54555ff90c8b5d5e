"""A camera that was found, as the line of a shell that adds it. Pure.

What a camera says of itself is in no way trusted: its url is quoted, its name only chooses letters of an id.
"""

import re
import shlex
from dataclasses import dataclass
from urllib.parse import urlsplit

from ingest.onvif.device import OnvifDevice, Profile
from ingest.onvif.login import OnvifLogin
from ingest.sources.source import SourceError
from ingest.sources.urls import parse

LONGEST_ID = 40
SELDOM_S = 2.0


@dataclass(frozen=True, slots=True)
class Suggestion:
    camera_id: str
    url: str
    """With the text of the login: it refers to the password."""
    line: str
    """`andon camera add ...`, and behind # what the camera says of the stream."""


def suggest(device: OnvifDevice, login: OnvifLogin | None) -> list[Suggestion | None]:
    """One for each profile; None: the camera gives no address for it that could be read."""
    return [_one(device, number, profile, login) for number, profile in enumerate(device.profiles)]


def _one(device: OnvifDevice, number: int, profile: Profile, login: OnvifLogin | None) -> Suggestion | None:
    if not profile.url.isprintable() or not profile.url.startswith(("rtsp://", "rtsps://")):
        return None
    try:
        parse(profile.url)
    except SourceError:
        return None
    url = _with_login(profile.url, login)
    name = _id(device, number)
    return Suggestion(name, url, f"andon camera add {shlex.quote(url)} --id {name}  # {described(device, profile)}")


def _with_login(url: str, login: OnvifLogin | None) -> str:
    """A camera that repeats the password in its url gets the reference in its place."""
    if login is None:
        return url
    user, _, reference = login.text.partition(":")
    if login.password:
        url = url.replace(login.password, reference)
    parts = urlsplit(url)
    return parts._replace(netloc=f"{user}:{reference}@{parts.netloc}").geturl()


def _id(device: OnvifDevice, number: int) -> str:
    """Its name and the end of its address; from the second profile on with its number."""
    name = re.sub(r"[^a-z0-9]+", "-", (device.answer.name or device.model).lower()).strip("-")[:LONGEST_ID].strip("-")
    place = re.sub(r"[^0-9a-z]+", "-", device.answer.host.lower()).strip("-")
    place = place.rpartition("-")[2] if name else place
    return f"{name or 'camera'}-{place}" + (f"-{number + 1}" if number else "")


def described(device: OnvifDevice, profile: Profile) -> str:
    """What the camera says of a stream, on one line."""
    parts = [
        f"{profile.width}x{profile.height}" if profile.width and profile.height else "",
        profile.codec,
        f"{profile.fps:g} fps" if profile.fps else "",
        f"{profile.kbps} kbit/s" if profile.kbps else "",
    ]
    words = [" ".join(part for part in parts if part), profile.name, device.model]
    if profile.keyframe_s is not None and profile.keyframe_s > SELDOM_S:
        words.append(f"a keyframe only every {profile.keyframe_s:g} s: set 1 to 2 s")
    return ", ".join(word for word in words if word)
