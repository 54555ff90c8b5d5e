"""Reads a camera's url, and says how to show it: its password never reaches a log, a page or an exception."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from ingest.sources.source import SourceError

Kind = Literal["rtsp", "file", "images", "usb"]
EXPECTED = "expected rtsp://host/path, a video file, a folder of images, or usb:0"


@dataclass(frozen=True, slots=True)
class Address:
    """Where pictures come from. Only `shown` may be shown."""

    kind: Kind
    target: str = field(repr=False)
    """For the library that opens it: the whole url with its password, a path, or the number of a device."""
    shown: str


def parse(url: str) -> Address:
    """Tell the kinds apart. Looks at the disk to tell a folder from a file; never at the network.

    Raises:
        SourceError: it is none of the kinds. The text says what was expected and shows nothing of the url.
    """
    if url.startswith("usb:"):
        return _device(url.removeprefix("usb:"))
    if url.startswith("file://"):
        return _path(Path(url.removeprefix("file://")))
    if "://" in url:
        return _network(url)
    if not url.strip():
        raise SourceError(f"the url is empty: {EXPECTED}")
    return _path(Path(url).expanduser())


def _device(number: str) -> Address:
    if not number.isdecimal():
        raise SourceError("a USB camera is named usb:0, usb:1, ...")
    return Address("usb", number, f"usb:{number}")


def _path(path: Path) -> Address:
    return Address("images" if path.is_dir() else "file", str(path), str(path))


def _network(url: str) -> Address:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise SourceError(f"the url can't be read (is the port a number up to 65535?): {EXPECTED}") from None
    if parts.scheme not in ("rtsp", "rtsps"):
        raise SourceError(f"the url's scheme is not one of those that are read: {EXPECTED}")
    if not host:
        raise SourceError(f"the url names no host: {EXPECTED}")
    return Address("rtsp", url, _shown(parts, host, port))


def _shown(parts: SplitResult, host: str, port: int | None) -> str:
    """Scheme, host and port only: many cameras take the password in the path or the query, too."""
    if "@" not in parts.netloc and "@" in parts.geturl():
        return f"{parts.scheme}://..."  # a password with a slash in it: what looks like the host may be half of it
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}" + (f":{port}" if port else "")
