"""The one place that builds Redis clients: time limits and retries are decided here, and what "away" means.

The client's own retries are off: whoever calls knows whether to wait, to drop or to tell.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from andon.backoff import Backoff
from andon.errors import ConfigError, FatalError

T = TypeVar("T")
_log = logging.getLogger("andon.redis")

AWAY = (RedisConnectionError, RedisTimeoutError, OutOfMemoryError, ReadOnlyError, TryAgainError, TimeoutError, OSError)
"""Gone, slow, loading, full, or a replica for the moment: the same command may succeed later."""

REFUSED = (AuthenticationError, AuthorizationError, NoPermissionError)
"""A wrong password or missing rights: only a person can mend it. Some of these are AWAY, too: look for these first."""


def client(url: str, timeout_s: float, block_s: float = 0.0) -> Redis:
    """A client that connects when it is first used; close it with `aclose()`.

    `timeout_s` bounds connecting and each answer; commands may block on the server for up to `block_s` more.
    Raises ConfigError for what is no Redis URL, without repeating it: it may hold a password.
    """
    try:
        return Redis.from_url(
            url,
            protocol=2,  # its answers to the stream commands have one shape on every server
            socket_connect_timeout=timeout_s,
            socket_timeout=timeout_s + block_s,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
        )
    except ValueError:
        raise ConfigError("not a Redis URL; expected redis://HOST:PORT/0, rediss://... or unix:///path") from None


def address(redis: Redis) -> str:
    """Where `redis` connects to, for messages: never with a password."""
    kwargs = redis.connection_pool.connection_kwargs
    return str(kwargs.get("path") or f"{kwargs.get('host', 'localhost')}:{kwargs.get('port', 6379)}")


def why(error: BaseException) -> str:
    """`error` in one line."""
    if isinstance(error, RedisTimeoutError | TimeoutError):
        return "no answer in time"
    text = " ".join(str(error).split()) if isinstance(error, RedisError | OSError) else ""
    return text.rstrip(".") or type(error).__name__


async def patiently(redis: Redis, ask: Callable[[], Awaitable[T]]) -> T:
    """The answer to `ask`, tried again for as long as Redis is away; told once when it goes and once when it is back.

    Raises FatalError, in one line, where Redis refuses us or what is asked of it.
    """
    backoff, failures = Backoff(first_s=0.1, most_s=5.0), 0
    while True:
        try:
            answer = await ask()
        except REFUSED as error:
            raise FatalError(f"redis at {address(redis)} refuses us: {why(error)}; check user and password") from None
        except AWAY as error:
            failures += 1
            if failures == 1:
                _log.warning("redis at %s is away (%s); trying until it is back", address(redis), why(error))
            await asyncio.sleep(backoff.delay_s(failures))
        except ResponseError as error:
            raise FatalError(f"redis at {address(redis)}: {why(error)}") from None
        else:
            if failures:
                _log.warning("redis at %s is back", address(redis))
            return answer
