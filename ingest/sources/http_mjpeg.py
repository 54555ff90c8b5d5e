"""Cameras that send JPEGs over HTTP (multipart/x-mixed-replace). Each JPEG goes on as it is; see `picture_of`.

The pictures carry no time that could be trusted, so the host's at arrival counts.
"""

from collections import deque
from contextlib import ExitStack
from dataclasses import replace
from email.message import Message
from urllib.parse import unquote, urlsplit

import httpx

from andon.clock import Clock
from andon.settings import CameraSettings
from ingest.sources.encoded import picture_of
from ingest.sources.ffmpeg_errors import advised
from ingest.sources.http_errors import explain, refused
from ingest.sources.http_login import HttpLogin
from ingest.sources.multipart import BodyPart, Multipart, MultipartError
from ingest.sources.source import Picture, SilentError, SourceError, SourceInfo
from ingest.sources.tls import tls_context
from ingest.sources.urls import Address

MAX_PICTURE_BYTES = 64_000_000
"""A larger part is none: 64 MB are eight times what the line takes by default."""
JPEG = b"\xff\xd8"


class HttpSource:
    """One open response. What is no picture (sound, events, an empty keep-alive) is passed over."""

    def __init__(self, address: Address, camera: CameraSettings, clock: Clock) -> None:
        """Raises SourceError: one line with the reason why it can't be opened."""
        self._address = address
        self._camera = camera
        self._clock = clock
        self._info = SourceInfo("mjpeg", 0, 0, None, "host")
        self._ready: deque[Picture] = deque()
        with ExitStack() as stack:
            client = stack.enter_context(_client(address, camera))
            response = _response(client, address, camera)
            stack.callback(response.close)
            self._parts = Multipart(_boundary(response), MAX_PICTURE_BYTES)
            self._chunks = response.iter_bytes()
            self._opened = stack.pop_all()

    @property
    def info(self) -> SourceInfo:
        """Size 0x0 until the first picture."""
        return self._info

    def read(self) -> Picture | None:
        began_s = self._clock.monotonic()
        while not self._ready:
            if self._parts.ended:
                return None
            self._ready.extend(self._pictures(self._chunk()))
            if not self._ready and self._clock.monotonic() - began_s >= self._camera.read_timeout_s:
                raise SilentError(f"{self._address.shown}: no picture for {self._camera.read_timeout_s:g} s")
        return self._ready.popleft()

    def close(self) -> None:
        self._opened.close()

    def _chunk(self) -> bytes:
        try:
            chunk = next(self._chunks, None)
        except httpx.TimeoutException as error:
            raise SilentError(explain(error, self._address, self._camera, reading=True)) from None
        except httpx.HTTPError as error:
            raise SourceError(explain(error, self._address, self._camera, reading=True)) from None
        if chunk is None:
            raise SourceError(f"{self._address.shown}: the camera closed the connection")
        return chunk

    def _pictures(self, chunk: bytes) -> list[Picture]:
        try:
            parts = self._parts.feed(chunk)
        except MultipartError as error:
            raise SourceError(f"{self._address.shown}: {error}") from None
        return [self._picture(part.body) for part in parts if _is_picture(part)]

    def _picture(self, body: bytes) -> Picture:
        picture = picture_of(body, self._camera, None)
        if not self._info.width and picture.bgr is not None:
            width, height = _size(picture)
            self._info = replace(self._info, width=width, height=height)
        return picture


def _size(picture: Picture) -> tuple[int, int]:
    """Width and height of a picture that has pixels."""
    if picture.jpeg is not None:
        return picture.jpeg.width, picture.jpeg.height
    assert picture.bgr is not None
    height, width = picture.bgr().shape[:2]
    return width, height


def _client(address: Address, camera: CameraSettings) -> httpx.Client:
    limits = httpx.Timeout(camera.open_timeout_s, read=camera.read_timeout_s)
    try:
        context = tls_context(address, camera)
    except OSError:  # the file can be read, and holds no certificate
        raise SourceError(f"{address.shown}: ca_file {camera.ca_file}: no certificates in PEM there") from None
    # no proxy and no .netrc of this host's: a camera is in the line's own network
    return httpx.Client(
        timeout=limits,
        verify=context or False,
        headers={"Accept": "multipart/x-mixed-replace, */*", "Accept-Encoding": "identity"},
        trust_env=False,
        follow_redirects=True,
        max_redirects=3,
    )


def _response(client: httpx.Client, address: Address, camera: CameraSettings) -> httpx.Response:
    """The response, its body unread. Raises SourceError: there is none, or it is no stream of parts."""
    url = urlsplit(address.target)
    login = HttpLogin(unquote(url.username), unquote(url.password or "")) if url.username else None
    bare = url._replace(netloc=url.netloc.rpartition("@")[2], fragment="").geturl()
    try:
        response = client.send(client.build_request("GET", bare), auth=login, stream=True)
    except (httpx.InvalidURL, UnicodeError):
        raise SourceError(advised(f"{address.shown}: the url can't be read", address)) from None
    except httpx.HTTPError as error:
        raise SourceError(explain(error, address, camera, reading=False)) from None
    reason = refused(response, with_login=login is not None)
    if reason is not None:
        response.close()
        raise SourceError(advised(f"{address.shown}: {reason}", address))
    return response


def _boundary(response: httpx.Response) -> str | None:
    message = Message()
    message["Content-Type"] = response.headers.get("content-type", "")
    return message.get_boundary()


def _is_picture(part: BodyPart) -> bool:
    """Some cameras put sound, events or empty parts between the pictures, and some declare no type."""
    if not part.body:
        return False
    kind = part.headers.get("content-type", "image/jpeg").lower()
    return kind.startswith("image/") or part.body.startswith(JPEG)
