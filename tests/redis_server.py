"""A Valkey that tests can kill, freeze and start again, empty, at the same port."""

import os
import signal
import time
from typing import Any, Self

from pydantic import SecretStr
from redis.asyncio import Redis

from andon.settings import RedisSettings
from deploy.local.child import Child
from deploy.local.redis import EmbeddedRedis
from deploy.local.server import free_port


class MortalRedis(EmbeddedRedis):
    """Keeps its data in memory only, so `kill` loses them."""

    def __enter__(self) -> Self:
        self.port = free_port()
        self.start()
        return self

    def start(self) -> None:
        self._child = Child("redis", self._command(self.port))
        deadline = time.monotonic() + 10
        while not self._is_up():
            assert time.monotonic() < deadline, "Valkey did not start"
            time.sleep(0.01)

    def kill(self) -> None:
        assert self._child is not None
        self._child.kill()

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    @property
    def settings(self) -> RedisSettings:
        return RedisSettings(url=SecretStr(self.url), prefix="t", timeout_s=0.5)


async def ask(client: Redis, *words: str | bytes | int) -> Any:
    """The answer to a command, in the words that one types at redis-cli."""
    return await client.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
