"""rtsps:// and https:// cameras: whose certificate is verified, and what is said when it is refused."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from andon.clock import SystemClock
from andon.settings import CameraSettings
from ingest.sources.choice import open_source
from ingest.sources.source import SourceError
from tests.http_camera import Habits, HttpCamera, http_camera, pictures
from tests.integration.ingest.line import FakeCamera
from tests.security.certificates import Authority, missing

pytestmark = pytest.mark.integration
SECRET = "gEh31m"


class TlsCamera(FakeCamera):
    """An RTSP server behind TLS that knows no stream: who gets as far as its 404 has verified it, or asked for less."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder / "authority")
        certificate = self.authority.issue("camera", "IP:127.0.0.1")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate.cert, certificate.key)
        super().__init__("404 Not Found")

    def _serve(self, client: socket.socket) -> None:
        try:
            encrypted = self._context.wrap_socket(client, server_side=True)
        except OSError:
            client.close()
            return
        super()._serve(encrypted)

    def refusal(self, host: str = "127.0.0.1", **settings: object) -> str:
        url = f"rtsps://admin:{SECRET}@{host}:{self.port}/x"
        camera = CameraSettings.model_validate({"id": "c", "url": url, "open_timeout_s": 3, **settings})
        with pytest.raises(SourceError) as caught:
            open_source(camera, SystemClock())
        assert SECRET not in str(caught.value)
        assert "\n" not in str(caught.value)
        return str(caught.value)


@pytest.fixture
def camera(tmp_path: Path) -> Iterator[TlsCamera]:
    if reason := missing():
        pytest.skip(reason)
    with TlsCamera(tmp_path) as running:
        yield running


def test_a_camera_whose_certificate_nobody_trusts_is_refused_in_one_line(camera: TlsCamera) -> None:
    message = camera.refusal()
    assert "the camera's certificate is not trusted (unable to get local issuer certificate)" in message
    assert "set ca_file" in message
    assert not camera.has_request, "no request, and so no password, has left"


def test_a_camera_that_shows_a_certificate_of_the_named_issuer_is_opened(camera: TlsCamera) -> None:
    assert "404" in camera.refusal(ca_file=str(camera.authority.ca))
    assert camera.has_request


def test_a_camera_that_shows_a_certificate_for_another_host_is_refused(camera: TlsCamera) -> None:
    message = camera.refusal("localhost", ca_file=str(camera.authority.ca))
    assert "the camera's certificate is not trusted (Hostname mismatch" in message


def test_a_camera_is_opened_unverified_only_if_that_is_asked_for(camera: TlsCamera) -> None:
    assert "404" in camera.refusal(tls="insecure")


def test_a_ca_file_that_is_missing_is_named(camera: TlsCamera, tmp_path: Path) -> None:
    assert f"ca_file {tmp_path / 'none.pem'}: No such file or directory" in camera.refusal(
        ca_file=str(tmp_path / "none.pem")
    )


@pytest.fixture
def https_camera(tmp_path: Path) -> Iterator[tuple[HttpCamera, Authority]]:
    if reason := missing():
        pytest.skip(reason)
    authority = Authority(tmp_path / "authority")
    certificate = authority.issue("camera", "IP:127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert, certificate.key)
    with http_camera(pictures(1), Habits(tls=context)) as running:
        yield running, authority


def https(camera: HttpCamera, **settings: object) -> int:
    """The number of pictures that the camera delivers."""
    url = camera.url(f"admin:{SECRET}", "https")
    source = open_source(CameraSettings.model_validate({"id": "c", "url": url, **settings}), SystemClock())
    try:
        return len(list(iter(source.read, None)))
    finally:
        source.close()


def test_an_https_camera_is_opened_if_its_issuer_is_named_or_nothing_is_to_be_verified(
    https_camera: tuple[HttpCamera, Authority],
) -> None:
    camera, authority = https_camera
    assert https(camera, ca_file=str(authority.ca)) == 1
    assert https(camera, tls="insecure") == 1


def test_an_https_camera_whose_certificate_nobody_trusts_gets_no_request(
    https_camera: tuple[HttpCamera, Authority], tmp_path: Path
) -> None:
    camera, _ = https_camera
    (tmp_path / "notes.pem").write_text("no certificate")
    for ca_file, complaint in ((None, "is not trusted: set ca_file"), (tmp_path / "notes.pem", "no certificates in")):
        with pytest.raises(SourceError, match=complaint) as caught:
            https(camera, ca_file=None if ca_file is None else str(ca_file))
        assert SECRET not in str(caught.value)
    assert camera.logins == []


class PlainCamera(FakeCamera):
    """An RTSP server without TLS."""

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            client.recv(4096)
            client.sendall(b"RTSP/1.0 400 Bad Request\r\n\r\n")


class SilentCamera(FakeCamera):
    """It hangs up on whoever speaks first."""

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            client.recv(4096)


@pytest.mark.parametrize(
    ("kind", "message"), [(PlainCamera, "speaks no TLS: write rtsp://"), (SilentCamera, "no TLS connection")]
)
def test_a_camera_without_tls_is_not_said_to_have_a_bad_certificate(kind: type[FakeCamera], message: str) -> None:
    with kind(None) as plain:
        settings = CameraSettings.model_validate({"id": "c", "url": f"rtsps://127.0.0.1:{plain.port}/x"})
        with pytest.raises(SourceError, match=message):
            open_source(settings, SystemClock())
