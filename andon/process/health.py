"""Serves /livez, /readyz and /metrics on a thread of its own, so that a hung event loop is reported, not waited for."""

import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from socketserver import ThreadingMixIn
from typing import Any, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from andon.errors import ConfigError
from andon.process.progress import Progress
from andon.process.watchdog import Watchdog
from andon.settings import HttpSettings

LIVE_S = 10.0
"""Seconds within which the event loop must have turned."""
MOST_CONNECTIONS = 32
"""Open connections, each with its thread. One more closes the oldest, so that idle ones never keep out a probe."""
POLL_S = 0.1
"""How soon the server sees that it must stop."""
IDLE_S = 5.0
"""Seconds without a byte after which a connection is closed."""


class Health:
    """Live: the loop turned lately and no call hangs. Ready: the role said so, and its work gets done.

    Any thread may read it.
    """

    def __init__(self, watchdog: Watchdog, progress: Progress) -> None:
        self._watchdog = watchdog
        self._progress = progress
        self.ready = False

    def hangs(self) -> list[str]:
        """Why the process is not alive, a line each; empty: it is."""
        overdue = self._watchdog.overdue()
        if overdue is not None:
            return [str(overdue)]
        silent_s = self._watchdog.silent_s
        return [f"the event loop has not turned for {silent_s:.0f} s"] if silent_s >= LIVE_S else []

    def hindrances(self) -> list[str]:
        """Why the process does not do its work, a line each; empty: it does."""
        if hangs := self.hangs():
            return hangs
        if not self.ready:
            return [f"not ready yet: {self._progress.startup()}"]
        return [str(stall) for stall in self._progress.stalls()]


class HealthServer:
    """Serves within its block. Raises ConfigError if the address is not available."""

    def __init__(self, settings: HttpSettings, health: Health, registry: CollectorRegistry) -> None:
        app = _app(health, make_wsgi_app(registry))
        try:
            self._server = make_server(settings.host, settings.port, app, _Server, _QuietHandler)
        except OSError as error:
            where = f"{settings.host}:{settings.port}"
            raise ConfigError(f"http: can't listen on {where}: {error.strerror}; choose another http.port") from None

    @property
    def port(self) -> int:
        return int(self._server.server_port)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(POLL_S,), name="health", daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _app(health: Health, metrics: Callable[[Any, Any], Iterable[bytes]]) -> Callable[[Any, Any], Iterable[bytes]]:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            return metrics(environ, start_response)
        ask = {"/livez": health.hangs, "/readyz": health.hindrances}.get(path)
        reasons = [] if ask is None else ask()
        status = "404 Not Found" if ask is None else "503 Service Unavailable" if reasons else "200 OK"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return ["".join(f"{line}\n" for line in (status, *reasons)).encode()]

    return app


class _Server(ThreadingMixIn, WSGIServer):
    """A thread for each connection, and at most `MOST_CONNECTIONS` of them."""

    daemon_threads = True
    request_queue_size = 128

    def server_activate(self) -> None:
        super().server_activate()
        self._lock = threading.Lock()
        self._open: dict[socket.socket, None] = {}  # in the order in which they came

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            if len(self._open) >= MOST_CONNECTIONS:
                oldest = next(iter(self._open))
                del self._open[oldest]
                with suppress(OSError):  # it may have gone by itself
                    oldest.shutdown(socket.SHUT_RDWR)  # its thread reads the end and leaves
            self._open[request] = None
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away or fell silent is nothing to report."""

    def server_bind(self) -> None:
        # connections that linger after a killed process must not keep its successor from the port for a minute
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # WSGIServer's own method looks up the host's name, which waits for a resolver that a line may not have
        self.socket.bind(self.server_address)
        host, port = self.socket.getsockname()[:2]
        self.server_address = (host, port)
        self.server_name, self.server_port = host, port
        self.setup_environ()


class _QuietHandler(WSGIRequestHandler):
    timeout = IDLE_S

    def log_message(self, *args: Any) -> None:
        """No log line for each probe."""
