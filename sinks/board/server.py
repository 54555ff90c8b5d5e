"""Serves the application: one socket, TLS where it is set, and nothing of uvicorn's own habits (signals, log lines)."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from ipaddress import ip_address

import uvicorn
from starlette.types import ASGIApp

from andon.errors import ConfigError, FatalError
from andon.settings import BoardSettings

CLOSE_S = 3
"""Seconds in which answers that are under way may end."""
KEEP_ALIVE_S = 30
UNREAD_MS = 20_000
"""A viewer whose machine takes nothing for this long is gone: its connection and what waits for it are dropped."""
BACKLOG = 256


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The process's own lifecycle handles signals."""
        yield


@asynccontextmanager
async def served(app: ASGIApp, settings: BoardSettings) -> AsyncIterator[str]:
    """Serve within the block. Yields the board's address. Raises ConfigError where it can't listen or has no key."""
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        loop="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=settings.behind_proxy,
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=CLOSE_S,
        limit_concurrency=2 * settings.viewers + 100,
        ssl_certfile=settings.tls.cert if settings.tls else None,
        ssl_keyfile=settings.tls.key if settings.tls else None,
    )
    _load(config, settings)
    listener = _listener(settings)
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # the application's own errors are events
    server = _Server(config)
    serving = asyncio.create_task(server.serve([listener]), name="board.server")
    try:
        await _started(server, serving)
        scheme, host = ("https" if settings.tls else "http"), settings.host
        yield f"{scheme}://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


async def _started(server: uvicorn.Server, serving: "asyncio.Task[None]") -> None:
    while not server.started:
        if serving.done():
            raise FatalError("the board's server did not start")
        await asyncio.sleep(0.005)  # uvicorn has no event for it


def _load(config: uvicorn.Config, settings: BoardSettings) -> None:
    try:
        config.load()
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        if settings.tls is None:
            raise
        reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or type(error).__name__
        raise ConfigError(
            f"board.tls: {settings.tls.cert}, {settings.tls.key}: {reason}; both must be PEM, and belong together"
        ) from None


def _listener(settings: BoardSettings) -> socket.socket:
    try:
        family, kind, _, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
    except OSError as error:
        raise _cannot_listen(settings, error) from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # accepted connections inherit it
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MS)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _cannot_listen(settings, error) from None
    return listener


def _cannot_listen(settings: BoardSettings, error: OSError) -> ConfigError:
    reason = error.strerror or type(error).__name__
    where = f"{settings.host}:{settings.port}"
    return ConfigError(f"board: can't listen on {where}: {reason}; choose another board.host or board.port")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches that address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
