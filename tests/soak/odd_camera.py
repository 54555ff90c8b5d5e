"""A camera of the soak's own: it sends small JPEGs over HTTP, and whatever a fault gives it meanwhile."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import cv2
import numpy as np

from tests.cases.pictures import before_restarts, drawn, jpeg

CAMERA_ID = "odd-1"
FPS = 5.0
VARIANTS = 10
"""Pictures that differ from one another: a camera that repeats one would be frozen."""
LARGE_PX = (960, 1280)


def _varied(*options: int) -> list[bytes]:
    """The drawn picture, a little further to the side each time."""
    return [jpeg(*options, picture=np.roll(drawn(), 9 * number, axis=1)) for number in range(VARIANTS)]


PLAIN = _varied()
STUFFED = [before_restarts(b"\xff" * 3, picture) for picture in _varied(cv2.IMWRITE_JPEG_RST_INTERVAL, 5)]
"""With stuffing before the restart markers: every decoder reads them alike."""


def large() -> list[bytes]:
    """Two pictures of noise, each above `topic_limit.LIMIT_BYTES`."""
    rng = np.random.default_rng(7)
    return [jpeg(picture=rng.integers(0, 256, (*LARGE_PX, 3), np.uint8)) for _ in range(2)]


class OddCamera:
    """`with OddCamera() as camera:` serves at `camera.url`."""

    def __init__(self) -> None:
        self.pictures: Sequence[bytes] = PLAIN
        self.sent = 0
        self._stopped = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/video.mjpg"

    @contextmanager
    def sending(self, pictures: Sequence[bytes]) -> Iterator[None]:
        self.pictures = pictures
        try:
            yield
        finally:
            self.pictures = PLAIN

    def next_picture(self) -> bytes | None:
        """Waits for its turn. None: the camera is switched off."""
        if self._stopped.wait(1 / FPS):
            return None
        pictures = self.pictures
        self.sent += 1
        return pictures[self.sent % len(pictures)]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="odd-camera", daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()


def _handler(camera: OddCamera) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            with suppress(OSError):  # the client has gone
                while (picture := camera.next_picture()) is not None:
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                    self.wfile.write(head.encode() + picture + b"\r\n")

        def log_message(self, *args: object) -> None:
            """Nothing to log."""

    return Handler
