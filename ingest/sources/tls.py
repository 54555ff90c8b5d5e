"""How the certificate of an rtsps:// or https:// camera is verified: FFmpeg verifies none unless it is asked to."""

import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from andon.settings import CameraSettings
from ingest.sources.source import SourceError
from ingest.sources.urls import Address

SCHEMES = ("rtsps:", "https:")

PORTS = {"rtsp": 554, "rtsps": 322}
TRUST = "set ca_file to a PEM file with its certificate or its issuer's, or `tls: insecure` to verify none"


def tls_options(address: Address, camera: CameraSettings) -> dict[str, str]:
    """FFmpeg's options for this camera; none if its url has no TLS, or nothing is to be verified.

    Raises SourceError: the camera's `ca_file` can't be read.
    """
    if not address.target.lower().startswith(SCHEMES) or camera.tls == "insecure":
        return {}
    ca_file = _ca_file(address, camera)
    return {"tls_verify": "1"} | ({"ca_file": ca_file} if ca_file is not None else {})


def tls_context(address: Address, camera: CameraSettings) -> ssl.SSLContext | None:
    """For a connection of our own to this camera, verified as FFmpeg's are; None: its url has no TLS.

    Raises SourceError or OSError: the camera's `ca_file` can't be used.
    """
    if not address.target.lower().startswith(SCHEMES):
        return None
    options = tls_options(address, camera)
    context = ssl.create_default_context(cafile=options.get("ca_file"))
    if "tls_verify" not in options:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@contextmanager
def connected(address: Address, camera: CameraSettings) -> Iterator[socket.socket]:
    """A connection of our own to the camera, to ask it what FFmpeg does not say. Blocks for at most the open timeout.

    Raises OSError, of which the refusals of TLS are a kind, or SourceError as `tls_context` does.
    """
    url = urlsplit(address.target)
    context = tls_context(address, camera)
    with ExitStack() as stack:
        place = url.hostname, url.port or PORTS[url.scheme]
        link = stack.enter_context(socket.create_connection(place, camera.open_timeout_s))
        if context is not None:
            link = stack.enter_context(context.wrap_socket(link, server_hostname=url.hostname))
        yield link


def refused_tls(address: Address, camera: CameraSettings) -> str:
    """Why there is no TLS connection to this camera, in one line."""
    try:
        with connected(address, camera):
            return f"its TLS is refused: {TRUST}"
    except ssl.SSLCertVerificationError as error:
        return f"the camera's certificate is not trusted ({error.verify_message.rstrip('.')}): {TRUST}"
    except ssl.SSLError as error:
        if error.reason == "WRONG_VERSION_NUMBER":
            return "what answers at this port speaks no TLS: write rtsp://, or the port for TLS"
        reason = (error.reason or "refused").replace("_", " ").lower()
        return f"no TLS connection ({reason}): does the port speak TLS, and in version 1.2 or newer?"
    except OSError as error:
        return f"no TLS connection ({error.strerror or type(error).__name__}): is the port right?"


def _ca_file(address: Address, camera: CameraSettings) -> str | None:
    """The system's is named, too: FFmpeg's own TLS library, as it comes with PyAV, knows none. None: there is none."""
    if camera.ca_file is None:
        return ssl.get_default_verify_paths().cafile
    path = Path(camera.ca_file).expanduser()
    try:
        with path.open("rb"):
            return os.fspath(path)
    except OSError as error:
        raise SourceError(f"{address.shown}: ca_file {path}: {error.strerror}") from None
