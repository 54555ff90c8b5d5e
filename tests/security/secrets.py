"""Secrets of every kind, planted in the settings, and the search for them in everything that a line writes."""

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from tests import postgres_server
from tests.security import kafka_server, redis_server

CAMERA = "c4mera-s3cret"
CAMERA_PATH = "p4th-s3cret"
CAMERA_QUERY = "qu3ry-s3cret"
CAMERA_URL = f"rtsp://operator:{CAMERA}@127.0.0.1:{{port}}/{CAMERA_PATH}/stream?token={CAMERA_QUERY}"
"""Cameras take a password in any part of their URL."""
PLANTED = (
    CAMERA,
    CAMERA_PATH,
    CAMERA_QUERY,
    kafka_server.PASSWORD,
    redis_server.PASSWORD,
    postgres_server.PASSWORD,
)


def in_bytes(content: bytes) -> set[str]:
    """The planted secrets that `content` holds, plain or percent-encoded."""
    return {secret for secret in PLANTED if secret.encode() in content or quote(secret).encode() in content}


def in_files(folder: Path, but: Iterable[Path] = ()) -> dict[str, set[str]]:
    """The secrets in each file below `folder`, databases and logs included. `but`: files in which they were planted."""
    allowed = set(but)
    files = [path for path in folder.rglob("*") if path.is_file() and path not in allowed]
    assert files, f"no file is left in {folder}: the search would prove nothing"
    found = {str(path): in_bytes(path.read_bytes()) for path in files}
    return {path: secrets for path, secrets in found.items() if secrets}
