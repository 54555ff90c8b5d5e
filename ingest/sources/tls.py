"""How the certificate of an rtsps:// or https:// camera is verified: FFmpeg verifies none unless it is asked to."""

import os
import ssl
from pathlib import Path

from andon.settings import CameraSettings
from ingest.sources.source import SourceError
from ingest.sources.urls import Address

SCHEMES = ("rtsps:", "https:")


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
