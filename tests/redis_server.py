"""A Valkey that tests can kill, freeze and start again, empty, at the same port."""

import os
import signal
from typing import Any

from pydantic import SecretStr
from redis.asyncio import Redis

from andon.settings import RedisSettings
from deploy.local.redis import EmbeddedRedis


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


async def ask(client: Redis, *words: str | bytes | int) -> Any:
    """The answer to a command, in the words that one types at redis-cli."""
    return await client.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
