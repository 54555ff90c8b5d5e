"""Certificates of a test's own authority, which openssl makes."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


def missing() -> str | None:
    """The program that a test needs and this machine lacks, or None."""
    return None if shutil.which("openssl") else "no openssl here: apt-get install openssl"


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM files; `key` belongs to `cert`."""

    cert: Path
    key: Path


class Authority:
    """Signs certificates for names. `ca` is the file that clients trust."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._own = Certificate(folder / "ca.pem", folder / "ca.key")
        _openssl(
            *("req", "-x509", *_new_key(self._own.key), "-out", str(self._own.cert), "-days", "2"),
            *("-subj", "/CN=a test's authority", "-addext", "basicConstraints=critical,CA:TRUE"),
            *("-addext", "keyUsage=critical,keyCertSign"),
        )

    @property
    def ca(self) -> Path:
        return self._own.cert

    def issue(self, name: str, alternative: str) -> Certificate:
        """A server's certificate. Clients may use the name `alternative`: `IP:127.0.0.1` or `DNS:...`."""
        issued = Certificate(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        extension = ("-addext", f"subjectAltName={alternative}", "-addext", "basicConstraints=CA:FALSE")
        signed_by = ("-CA", str(self._own.cert), "-CAkey", str(self._own.key))
        _openssl(
            *("req", "-x509", *_new_key(issued.key), "-out", str(issued.cert), "-days", "2"),
            *("-subj", f"/CN={name}", *extension, *signed_by),
        )
        return issued


def _new_key(path: Path) -> tuple[str, ...]:
    return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(path))


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=30)
