"""A camera that sends JPEGs over HTTP, with the habits that real ones have."""

import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

from tests.rtsp_camera.login import CHALLENGES, admits
from tests.unit.ingest.jpegs import grey_jpeg


@dataclass(frozen=True, slots=True)
class Habits:
    """How a camera sends its pictures."""

    content_type: str = "multipart/x-mixed-replace; boundary=frame"
    delimiter: str = "--frame"
    length: Literal["right", "none", "short", "long"] = "right"
    line_end: bytes = b"\r\n"
    part_type: str | None = "image/jpeg"
    login: str = "none"
    """One of CHALLENGES."""
    status: int = 200
    preamble: bytes = b""
    between: bytes = b""
    """Sent as a part of its own before each picture."""
    last: Literal["delimiter", "close", "stall", "drip"] = "delimiter"
    """What follows the last picture: the end, the end of the connection, nothing, or a byte now and then."""
    chunk_bytes: int = 1_000
    tls: ssl.SSLContext | None = field(default=None, compare=False)


def pictures(count: int) -> list[bytes]:
    return [grey_jpeg(number) for number in range(count)]


@dataclass(slots=True)
class HttpCamera:
    port: int
    logins: list[str]
    """The Authorization header of each request; empty where there was none."""

    def url(self, login: str = "", scheme: str = "http") -> str:
        return f"{scheme}://{login}{'@' if login else ''}127.0.0.1:{self.port}/video.mjpg"


@contextmanager
def http_camera(bodies: Sequence[bytes], habits: Habits = Habits()) -> Iterator[HttpCamera]:
    """Serves `bodies` to each client, until the block ends."""
    stopped, logins = threading.Event(), list[str]()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(bodies, habits, stopped, logins))
    if habits.tls is not None:
        server.socket = habits.tls.wrap_socket(server.socket, server_side=True)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    try:
        yield HttpCamera(server.server_address[1], logins)
    finally:
        stopped.set()
        server.shutdown()
        serving.join()
        server.server_close()


def stream(bodies: Sequence[bytes], habits: Habits) -> bytes:
    """The body of the camera's response."""
    parts = [habits.preamble]
    for body in bodies:
        if habits.between:
            parts.append(_part(habits.between, replace(habits, part_type="audio/basic")))
        parts.append(_part(body, habits))
    if habits.last == "delimiter":
        parts.append(habits.delimiter.encode() + b"--" + habits.line_end)
    return b"".join(parts)


def _part(body: bytes, habits: Habits) -> bytes:
    wrong = {"short": -7, "long": 9}.get(habits.length, 0)
    lines = [habits.delimiter.encode()]
    lines += [f"Content-Type: {habits.part_type}".encode()] if habits.part_type else []
    lines += [f"content-length: {len(body) + wrong}".encode()] if habits.length != "none" else []
    return habits.line_end.join([*lines, b"", body, b""])


def _handler(
    bodies: Sequence[bytes], habits: Habits, stopped: threading.Event, logins: list[str]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            logins.append(self.headers.get("Authorization", ""))
            if not admits(habits.login, "GET", logins[-1]):
                self.send_response(401)
                for challenge in CHALLENGES[habits.login]:
                    self.send_header("WWW-Authenticate", challenge)
                self.end_headers()
                return
            self.send_response(habits.status)
            self.send_header("Content-Type", habits.content_type)
            self.end_headers()
            with suppress(OSError):  # the client has gone
                self._send(stream(bodies, habits))
                if habits.last == "drip":
                    self._send(b"--frame\r\n\r\n")
                    while not stopped.wait(0.02):
                        self._send(b"x")
            if habits.last == "stall":
                stopped.wait()

        def _send(self, content: bytes) -> None:
            for start in range(0, len(content), habits.chunk_bytes):
                self.wfile.write(content[start : start + habits.chunk_bytes])
                self.wfile.flush()

        def log_message(self, *args: object) -> None:
            """Nothing to log."""

    return Handler
