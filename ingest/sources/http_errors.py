"""Explains to the person who set up the camera why its HTTP stream can't be read. No text holds the url."""

import socket
import ssl

import httpx

from andon.settings import CameraSettings
from ingest.sources.ffmpeg_errors import advised
from ingest.sources.urls import Address

NEVER_A_STREAM = {
    "text/html": "a web page",
    "image/jpeg": "a single picture",
    "application/vnd.apple.mpegurl": "a list of video files",
}
_STATUS = {
    403: "the camera forbids this (403): check the user's rights and the url's path",
    404: "the camera knows no such stream (404): check the url's path",
}


def explain(error: httpx.HTTPError, address: Address, camera: CameraSettings, *, reading: bool) -> str:
    """One line: what could not be opened or read, and why."""
    line = f"{address.shown}: {_reading(error, camera) if reading else _opening(error, camera)}"
    return line if reading else advised(line, address)


def refused(response: httpx.Response, *, with_login: bool) -> str | None:
    """Why this response is no stream of pictures; None: it is one."""
    status = response.status_code
    if status == httpx.codes.UNAUTHORIZED:
        return _unauthorized(response, with_login=with_login)
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return f"the camera answered with an error of its own ({status}): perhaps it serves too many clients"
    if status != httpx.codes.OK:
        return _STATUS.get(status, f"the camera refused the request ({status}): check the url's path")
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith("multipart/"):
        return None
    found = NEVER_A_STREAM.get(kind, kind or "no content type")
    return f"there is {found} at this url, and no MJPEG stream (multipart/x-mixed-replace): check the url's path"


def _unauthorized(response: httpx.Response, *, with_login: bool) -> str:
    offered = [value.split(" ")[0].lower() for value in response.headers.get_list("www-authenticate")]
    if not with_login:
        return "the camera wants a login (401): put user:password@ in front of the host in its url"
    if offered and not {"digest", "basic"} & set(offered):
        return f"the camera asks for a login by {offered[0]!r}, which is not supported: set it to digest"
    return "the camera refused the login (401): check user and password in its url"


def _opening(error: httpx.HTTPError, camera: CameraSettings) -> str:
    match error:
        case httpx.ConnectTimeout():
            return f"no answer within {camera.open_timeout_s:g} s"
        case httpx.TimeoutException():
            return f"no answer within {camera.read_timeout_s:g} s"
        case httpx.TooManyRedirects():
            return "the camera sends from one url to the next: name the last one"
        case httpx.ProtocolError():
            return "what answers there is no HTTP camera"
    return _unreachable(_cause(error))


def _reading(error: httpx.HTTPError, camera: CameraSettings) -> str:
    if isinstance(error, httpx.TimeoutException):
        return f"no picture for {camera.read_timeout_s:g} s"
    return "the camera closed the connection"


def _unreachable(cause: OSError | None) -> str:
    match cause:
        case ConnectionRefusedError():
            return "connection refused: is the camera on, and the port right?"
        case ssl.SSLCertVerificationError():
            return (
                "the camera's certificate is not trusted: set ca_file to a PEM file with its certificate or its "
                "issuer's, or `tls: insecure` to verify none"
            )
        case ssl.SSLError():
            return "the camera speaks no TLS on this port: try http://"
        case socket.gaierror():
            return "the host can't be reached: check its name and the network"
        case ConnectionResetError() | BrokenPipeError():
            return "the camera closed the connection"
    return "the host can't be reached: check its name and the network"


def _cause(error: BaseException) -> OSError | None:
    """The operating system's own error behind that of the library."""
    inner: BaseException | None = error
    while inner is not None and not isinstance(inner, OSError):
        inner = inner.__cause__ or inner.__context__
    return inner
