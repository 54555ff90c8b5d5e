"""The one place that builds Redis clients. It decides time limits and retries, and which errors mean "away".

The client's own retries are off: the caller knows whether to wait, to drop or to report.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

from redis.asyncio import Redis, SSLConnection
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AskError,
    AuthenticationError,
    AuthorizationError,
    ClusterCrossSlotError,
    ClusterDownError,
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
"""Redis is gone, slow, loading, full, or a replica for the moment: the same command may succeed later."""

REFUSED = (AuthenticationError, AuthorizationError, NoPermissionError)
"""A wrong password or missing rights: only a person can mend it. Some of these are AWAY, too: call `refusal` first."""


CLUSTER = (AskError, ClusterCrossSlotError, ClusterDownError)
"""What only a node of a Redis Cluster answers (MovedError is an AskError). One script needs keys in two slots."""


def client(url: str, timeout_s: float, block_s: float = 0.0) -> Redis:
    """A client that connects at its first command. Close it with `aclose()`.

    `timeout_s` bounds connecting and each answer; a command may block on the server for up to `block_s` more.
    `rediss://...?ssl_ca_certs=FILE` trusts the authorities in that file; without it, those of this machine.
    Raises ConfigError if `url` is no Redis URL, without repeating it (it may hold a password), or if FILE is unusable.
    """
    if _cut(url):
        raise ConfigError(
            "the Redis URL can't be read: write /, ?, #, [, ] and @ in a password as %2F, %3F, %23, %5B, %5D and %40"
        )
    try:
        redis = Redis.from_url(
            url,
            protocol=2,  # with it, answers to stream commands have one shape on every server
            socket_connect_timeout=timeout_s,
            socket_timeout=timeout_s + block_s,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
        )
    except ValueError:
        raise ConfigError("not a Redis URL; expected redis://HOST:PORT/0, rediss://... or unix:///path") from None
    _look_at_authorities(redis)
    redis.connection_pool.connection_class = _mend(redis.connection_pool.connection_class)
    return redis


def _mend(kind: type[AbstractConnection]) -> type[AbstractConnection]:
    """A connection without two faults of redis-py (8.1) where it sends a command.

    - Where the server has just reset the connection, uvloop raises RuntimeError for a write. redis-py closes the
      connection then, but lets the error through.
    - It sends by `asyncio.wait_for`, and that of Python 3.11 loses a cancellation that comes as the command is out. The
      task would go on, and whoever waits for its end would wait for ever.
    """

    class Connection(kind):  # type: ignore[valid-type, misc]  # the kind depends on the URL
        async def send_packed_command(self, command: Any, check_health: bool = True) -> None:  # as redis-py's
            try:
                with _keep_cancellations():
                    await super().send_packed_command(command, check_health)
            except RuntimeError as error:
                raise RedisConnectionError("the connection was reset") from error
            except asyncio.CancelledError:
                await self.disconnect(nowait=True)  # the answer to the command would be taken for that to the next one
                raise

    return Connection


@contextmanager
def _keep_cancellations() -> Iterator[None]:
    """Raise CancelledError at the end where the task was cancelled inside, whatever became of the cancellation."""
    task = asyncio.current_task()
    assert task is not None, "a command is sent by a task"
    before = task.cancelling()
    try:
        yield
    finally:
        if task.cancelling() > before:
            raise asyncio.CancelledError


def _cut(url: str) -> bool:
    """Whether a mark in the password cuts the URL, so that half of it would be taken for the host."""
    if "@" not in url:
        return False
    try:
        return "@" not in urlsplit(url).netloc
    except ValueError:  # a bracket looks like an IPv6 address
        return True


def _look_at_authorities(redis: Redis) -> None:
    pool = redis.connection_pool
    file = pool.connection_kwargs.get("ssl_ca_certs")
    if file is None:
        return
    if not issubclass(pool.connection_class, SSLConnection):
        raise ConfigError(f"redis at {address(redis)}: ssl_ca_certs is for TLS: write rediss:// instead of redis://")
    try:
        ssl.create_default_context(cafile=file)
    except ssl.SSLError:
        raise ConfigError(f"ssl_ca_certs of Redis: {file}: no certificates in PEM there") from None
    except OSError as error:
        raise ConfigError(f"ssl_ca_certs of Redis: {file}: {error.strerror}") from None


def address(redis: Redis) -> str:
    """The address of `redis`, for messages: never with a password."""
    kwargs = redis.connection_pool.connection_kwargs
    return str(kwargs.get("path") or f"{kwargs.get('host', 'localhost')}:{kwargs.get('port', 6379)}")


def why(error: BaseException) -> str:
    """The reason of `error`, in one line."""
    if isinstance(error, RedisTimeoutError | TimeoutError):
        return "no answer in time"
    text = " ".join(str(error).split()) if isinstance(error, RedisError | OSError) else ""
    return text.rstrip(".") or type(error).__name__


def refusal(error: BaseException) -> str | None:
    """What a person must mend (password, rights, certificate), in one line. None: the error may pass by itself."""
    if isinstance(error, REFUSED):
        return f"refuses us: {why(error)}; check user and password in redis.url"
    if isinstance(error, CLUSTER):
        return "is a node of a Redis Cluster, which is not supported; name a single server in redis.url"
    inner = error.__cause__ or error.__context__
    if isinstance(inner, ssl.SSLCertVerificationError):
        reason = inner.verify_message.rstrip(".")
        return f"its certificate is not trusted ({reason}); check host and ssl_ca_certs in redis.url"
    return None


async def patiently(redis: Redis, ask: Callable[[], Awaitable[T]]) -> T:
    """The answer to `ask`, repeated for as long as Redis is away. The log says once that it is away and once that it is
    back.

    Raises FatalError, in one line, if Redis refuses us or the command.
    """
    backoff, failures = Backoff(first_s=0.1, most_s=5.0), 0
    while True:
        try:
            answer = await ask()
        except (*REFUSED, *AWAY) as error:
            if (refused := refusal(error)) is not None:
                raise FatalError(f"redis at {address(redis)}: {refused}") from None
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
