"""The chart's Valkey, started by the chart's script: it asks for the password and keeps what Andon relies on."""

from pathlib import Path

import pytest
import redis

from andon.redis_server import risks
from deploy.local.redis import EmbeddedRedis
from deploy.local.server import HOST, exchange
from tests.unit.deploy.helm.chart import rendered

pytestmark = pytest.mark.integration
PASSWORD = "pass word$1"


class ChartValkey(EmbeddedRedis):
    """The start script with the folders of this test instead of a container's."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._folder = folder

    def _command(self, port: int) -> list[str]:
        (self._folder / "bin").mkdir(exist_ok=True)
        (self._folder / "bin" / "valkey-server").write_text(
            f'#!/bin/sh\nexec {self._binary} "$@" --port {port} --bind {HOST}\n'
        )
        (self._folder / "bin" / "valkey-server").chmod(0o755)
        return ["/usr/bin/env", f"PATH={self._folder}/bin:/usr/bin:/bin", "sh", str(self._folder / "start.sh")]

    def _answers(self) -> bool:
        return exchange(self.port, b"PING\r\n", 7).startswith(b"-NOAUTH")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folders of the container, with the chart's files in them."""
    for name, text in rendered("everything").named("ConfigMap", "valkey")["data"].items():
        (tmp_path / name).write_text(_moved(text, tmp_path))
    for name in ("tmp", "data"):
        (tmp_path / name).mkdir()
    (tmp_path / "redis_password").write_text(f"{PASSWORD}\n")
    return tmp_path


def _moved(text: str, folder: Path) -> str:
    text = text.replace("/etc/valkey/", f"{folder}/").replace("/secrets/", f"{folder}/")
    return text.replace("/tmp/valkey.conf", f"{folder}/tmp/valkey.conf").replace("dir /data\n", f"dir {folder}/data\n")


def test_the_charts_valkey_asks_for_the_password_and_keeps_alerts(folder: Path) -> None:
    with ChartValkey(folder) as server:
        with redis.Redis(host=HOST, port=server.port, password=PASSWORD, decode_responses=True) as client:
            assert client.config_get("appendonly") == {"appendonly": "yes"}
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            assert risks(client.info()) == []
            client.set("alert", "1")
        server.restart()
        with redis.Redis(host=HOST, port=server.port, password=PASSWORD, decode_responses=True) as client:
            assert client.get("alert") == "1", "a restart forgets nothing"
        with redis.Redis(host=HOST, port=server.port) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
    assert (folder / "tmp" / "valkey.conf").stat().st_mode & 0o077 == 0, "nobody else may read the password"
