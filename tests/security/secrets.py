"""Secrets of every kind, planted in the settings; and the search for them in whatever a line leaves behind."""

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from tests import postgres_server
from tests.security import kafka_server, redis_server

CAMERA = "c4mera-s3cret"
CAMERA_PATH = "p4th-s3cret"
CAMERA_QUERY = "qu3ry-s3cret"
CAMERA_URL = f"rtsp://operator:{CAMERA}@127.0.0.1:{{port}}/{CAMERA_PATH}/stream?token={CAMERA_QUERY}"
"""Cameras take a password in any part of their url."""
PLANTED = (
    CAMERA,
    CAMERA_PATH,
    CAMERA_QUERY,
    kafka_server.PASSWORD,
    redis_server.PASSWORD,
    postgres_server.PASSWORD,
)


def in_bytes(content: bytes) -> set[str]:
    """Those of the planted secrets that `content` holds, as they are or as a URL has them."""
    return {secret for secret in PLANTED if secret.encode() in content or quote(secret).encode() in content}


def in_files(folder: Path, but: Iterable[Path] = ()) -> dict[str, set[str]]:
    """By file below `folder`, databases and logs among them. `but`: the files that they were planted in."""
    allowed = set(but)
    files = [path for path in folder.rglob("*") if path.is_file() and path not in allowed]
    assert files, f"nothing was left in {folder}: this would find nothing in any case"
    found = {str(path): in_bytes(path.read_bytes()) for path in files}
    return {path: secrets for path, secrets in found.items() if secrets}
