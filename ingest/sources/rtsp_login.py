"""Asks a camera that refused a login how it wants it, because FFmpeg can't do every kind and says only "401".

Source of the kinds: RFC 2617 and RFC 7616; of what FFmpeg can do: libavformat/httpauth.c. Of several challenges it
answers the last one.
"""

import re
import socket
from urllib.parse import urlsplit

from andon.settings import CameraSettings
from ingest.sources.source import SourceError
from ingest.sources.tls import connected
from ingest.sources.urls import Address

MOST_BYTES = 65_536
"""Of an answer. A challenge has a few hundred."""
_CHALLENGE = re.compile(r"^WWW-Authenticate:[ \t]*(\w+)[ \t]*(.*)$", re.IGNORECASE | re.MULTILINE)
_FIELD = re.compile(r"(\w+)=(?:\"([^\"]*)\"|([^\s,\"]*))")


def refused_login(address: Address, camera: CameraSettings) -> str:
    """Why the camera at `address` refuses FFmpeg's login, in one line. Blocks for at most twice the open timeout.

    No user and no password leave this process.
    """
    if not urlsplit(address.target).username:
        return "the camera wants a login (401): put user:password@ in front of the host in its url"
    reason = unanswerable(_answer(address, camera))
    return reason or "the camera refused the login (401): check user and password in its url"


def unanswerable(answer: str) -> str | None:
    """Why FFmpeg can't log in at a camera that answers so; None: it can (pure)."""
    challenges = [(kind.lower(), _fields(rest)) for kind, rest in _CHALLENGE.findall(answer)]
    digests = [fields for kind, fields in challenges if kind == "digest"]
    if digests:
        return _unanswerable_digest(digests[-1])
    if not challenges or any(kind == "basic" for kind, _ in challenges):
        return None
    return f"the camera asks for a login by {challenges[-1][0]!r}, which is not supported: set it to digest"


def _unanswerable_digest(fields: dict[str, str]) -> str | None:
    algorithm = fields.get("algorithm", "MD5")
    if algorithm not in ("MD5", "MD5-sess"):
        return (
            f"the camera asks for a login by digest with {algorithm}, and only MD5 is supported: "
            f"switch its digest algorithm to MD5 (user and password may be right)"
        )
    offered = [qop.strip() for qop in fields.get("qop", "auth").split(",")]
    if "auth" not in offered:
        return f"the camera asks for a login by digest with qop={offered[0]}, and only qop=auth is supported"
    return None


def _fields(challenge: str) -> dict[str, str]:
    return {name.lower(): quoted or plain for name, quoted, plain in _FIELD.findall(challenge)}


def _answer(address: Address, camera: CameraSettings) -> str:
    """The camera's answer to DESCRIBE without a login; empty if there is none."""
    url = urlsplit(address.target)
    place = url._replace(netloc=url.netloc.rpartition("@")[2])
    request = f"DESCRIBE {place.geturl()} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n"
    try:
        with connected(address, camera) as link:
            link.sendall(request.encode())
            return _head(link)
    except (OSError, SourceError):
        return ""


def _head(link: socket.socket) -> str:
    received = b""
    while b"\r\n\r\n" not in received and len(received) < MOST_BYTES and (part := link.recv(4096)):
        received += part
    return received.partition(b"\r\n\r\n")[0].decode(errors="replace").replace("\r\n", "\n")
