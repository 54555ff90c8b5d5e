"""The one place that builds Redis clients: time limits and retries are decided here, and what "away" means.

The client's own retries are off: whoever calls knows whether to wait, to drop or to tell.
"""

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
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from andon.errors import ConfigError

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
