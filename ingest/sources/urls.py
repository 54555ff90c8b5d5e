"""Reads a camera's url, and says how to show it: its password never reaches a log, a page or an exception."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from ingest.sources.source import SourceError

Kind = Literal["rtsp", "http", "file", "images", "usb", "gige", "usb3"]
EXPECTED = (
    "expected rtsp://host/path, http://host/path (MJPEG), a video file, a folder of images, usb:/dev/..., gige:SERIAL "
    "or usb3:SERIAL"
)
INDUSTRIAL: tuple[Kind, ...] = ("gige", "usb3")
NETWORK: dict[str, Kind] = {"rtsp": "rtsp", "rtsps": "rtsp", "http": "http", "https": "http"}

MAX_NAME = 128

ENCODE = (
    "percent-encode user and password in the url: "
    "/ is %2F, # is %23, ? is %3F, [ is %5B, ] is %5D, @ is %40, : is %3A, % is %25"
)
_HOST = re.compile(r"(localhost|\[[0-9a-f:.]+\]|[\w-]+(\.[\w-]+)+)(:\d+)?([/?#]|$)", re.IGNORECASE)
"""What can only be a host at the beginning of a text: a name with a dot, an IP address, localhost."""
_DECODED = re.compile(r"%(3[0-9]|[46][1-9a-f]|[57][0-9a])", re.IGNORECASE)
"""An escape for a letter or a digit. Nobody writes one, so its % is one of the password."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where pictures come from. Only `shown` may be shown."""

    kind: Kind
    target: str = field(repr=False)
    """For the library that opens it: the whole url with its password, a path, the number or path of a device, or a
    serial number."""
    shown: str
    advice: str = ""
    """What to try if it can't be opened: the url may be misread. Empty: it can be read in one way only."""


def parse(url: str) -> Address:
    """Tell the kinds apart. Looks at the disk to tell a folder from a file; never at the network.

    Raises:
        SourceError: it is none of the kinds. The text says what was expected and shows nothing of the url.
    """
    if url.startswith("usb:"):
        return _device(url.removeprefix("usb:"))
    for kind in INDUSTRIAL:
        if url.startswith(f"{kind}:"):
            return _industrial(kind, url.removeprefix(f"{kind}:"))
    if url.startswith("file://"):
        return _path(Path(url.removeprefix("file://")))
    if "://" in url:
        return _network(url)
    if not url.strip():
        raise SourceError(f"the url is empty: {EXPECTED}")
    return _path(Path(url).expanduser())


def _device(name: str) -> Address:
    """By number, or by a path below /dev, of which those in /dev/v4l/by-id stay the same after a restart."""
    if not name.isdecimal() and not name.startswith("/dev/"):
        raise SourceError("a USB camera is named usb:/dev/v4l/by-id/NAME, or usb:0, usb:1, ...")
    return Address("usb", name, f"usb:{name}")


def _industrial(kind: Kind, name: str) -> Address:
    """By serial number, by Aravis' name, which has the maker in it, or, of a GigE camera, by its IP address."""
    if not name.strip() or not name.isprintable() or "/" in name or len(name) > MAX_NAME:
        raise SourceError(f"an industrial camera is named {kind}:SERIAL, by the number on its label")
    return Address(kind, name, f"{kind}:{name}")


def _path(path: Path) -> Address:
    if path.is_relative_to("/dev") and path.is_char_device():
        return _device(str(path))
    return Address("images" if path.is_dir() else "file", str(path), str(path))


def _network(url: str) -> Address:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        if "@" in url:  # a password with one of these marks looks like a port, an IPv6 address or a path
            raise SourceError(f"the url can't be read: is the port a number up to 65535? Or {ENCODE}") from None
        raise SourceError(f"the url can't be read (is the port a number up to 65535?): {EXPECTED}") from None
    if parts.scheme not in NETWORK:
        raise SourceError(f"the url's scheme is not one of those that are read: {EXPECTED}")
    if not host:
        raise SourceError(f"the url names no host: {EXPECTED}")
    if _cut_password(parts, host):
        raise SourceError(f"the url can't be read, / or ? or # seems to cut its password: {ENCODE}")
    return Address(NETWORK[parts.scheme], url, _shown(parts, host, port), _advice(parts))


def _cut_password(parts: SplitResult, host: str) -> bool:
    """Whether `/`, `?` or `#` in a password has cut it, so that the user is taken for the host."""
    if "@" in parts.fragment:  # RTSP knows no fragments
        return True
    return "." not in host and ":" not in host and _HOST.match(_behind(parts).rpartition("@")[2]) is not None


def _behind(parts: SplitResult) -> str:
    """Everything behind the host and the port, if it holds an `@`; else nothing."""
    behind = parts._replace(scheme="", netloc="").geturl()
    return behind if "@" in behind else ""


def _advice(parts: SplitResult) -> str:
    return ENCODE if _behind(parts) or _DECODED.search(parts.netloc.rpartition("@")[0]) else ""


def _shown(parts: SplitResult, host: str, port: int | None) -> str:
    """Scheme, host and port only: many cameras take the password in the path or the query, too."""
    if _behind(parts):
        return f"{parts.scheme}://..."  # what looks like the host may be part of a password
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}" + (f":{port}" if port else "")
