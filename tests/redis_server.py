"""A Valkey that tests can kill, freeze and start again, empty, at the same port."""

import os
import signal
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from redis.asyncio import Redis

from andon.settings import RedisSettings
from deploy.local.redis import EmbeddedRedis
from deploy.local.server import HOST


class MortalRedis(EmbeddedRedis):
    """Keeps its data in memory only, so `kill` loses them."""

    def start(self) -> None:
        self.launch()
        self.wait()

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    @property
    def settings(self) -> RedisSettings:
        return RedisSettings(url=SecretStr(self.url), prefix="t", timeout_s=0.5)


class RedisWith(MortalRedis):
    """Started with more arguments. `--sentinel` makes it a Sentinel, which takes none of the others."""

    def __init__(self, *arguments: str, folder: Path) -> None:
        super().__init__()
        self._arguments = arguments
        self._folder = folder

    def _command(self, port: int) -> list[str]:
        if "--sentinel" in self._arguments:
            config = self._folder / "sentinel.conf"
            config.touch()
            return [self._binary, str(config), "--sentinel", "--port", str(port), "--bind", HOST]
        return [*super()._command(port), "--dir", str(self._folder), *self._arguments]


async def ask(client: Redis, *words: str | bytes | int) -> Any:
    """The answer to a command, in the words that one types at redis-cli."""
    return await client.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
