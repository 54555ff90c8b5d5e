"""Stands between an RTSP client and a camera on this machine, and loses a share of the RTP packets that go over UDP."""

import random
import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

LARGEST_BYTES = 65_536
_PORTS = re.compile(rb"client_port=(\d+)-(\d+)")


class LossyRelay:
    """Listens from the moment when it is made; a context that stops it. The same seed loses the same packets."""

    def __init__(self, camera_port: int, share: float, seed: int) -> None:
        """`share`: of the packets that are lost, 0 to 1."""
        self._camera_port, self._share, self._chance = camera_port, share, random.Random(seed)
        self.passed = self.lost = 0
        """RTP packets."""
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._server = self._kept(socket.create_server(("127.0.0.1", 0)))
        self.port = int(self._server.getsockname()[1])
        self._start(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        for link in self._sockets:
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
            link.close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def _kept(self, link: socket.socket) -> socket.socket:
        self._sockets.append(link)
        return link

    def _start(self, run: Callable[..., None], *given: object) -> None:
        thread = threading.Thread(target=run, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._kept(self._server.accept()[0])
                camera = self._kept(socket.create_connection(("127.0.0.1", self._camera_port)))
                self._start(self._requests, client, camera)
                self._start(self._answers, camera, client)

    def _requests(self, client: socket.socket, camera: socket.socket) -> None:
        """The client's requests have no bodies. The camera sends its packets here instead of to the client."""
        received = b""
        with suppress(OSError):
            while part := client.recv(LARGEST_BYTES):
                received += part
                while b"\r\n\r\n" in received:
                    head, end, received = received.partition(b"\r\n\r\n")
                    camera.sendall(_PORTS.sub(self._redirected, head) + end)
            camera.shutdown(socket.SHUT_RDWR)

    def _answers(self, camera: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while part := camera.recv(LARGEST_BYTES):
                client.sendall(part)
            client.shutdown(socket.SHUT_RDWR)

    def _redirected(self, ports: re.Match[bytes]) -> bytes:
        link = self._kept(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        link.bind(("127.0.0.1", 0))
        own = int(link.getsockname()[1])
        self._start(self._packets, link, int(ports[1]))
        return b"client_port=%d-%d" % (own, own + 1)

    def _packets(self, link: socket.socket, client_port: int) -> None:
        link.settimeout(0.2)
        while link.fileno() >= 0:
            try:
                packet = link.recv(LARGEST_BYTES)
            except TimeoutError:
                continue
            except OSError:
                return
            if self._chance.random() < self._share:
                self.lost += 1
                continue
            self.passed += 1
            with suppress(OSError):  # the client has gone
                link.sendto(packet, ("127.0.0.1", client_port))
