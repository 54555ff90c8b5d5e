"""The server: RTSP 1.0 (RFC 2326) with H.264 (RFC 6184) or H.265 (RFC 7798) over RTP."""

import base64
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Self

from tests.rtsp_camera.faults import FAULTLESS, Faults
from tests.rtsp_camera.footage import Footage, is_parameter_set
from tests.rtsp_camera.login import CHALLENGES, ENCODED, admits

LARGEST_BYTES = 1_400
"""Of an RTP packet's payload: larger NAL units are sent in fragments."""
Send = Callable[[bytes], object]


class RtspCamera:
    """Listens from the moment when it is made; a context that stops it."""

    def __init__(self, footage: Footage, faults: Faults = FAULTLESS) -> None:
        self.footage, self.faults = footage, faults
        self.stopped = threading.Event()
        self.clients: list[Client] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Its address, with the login that it accepts if it wants one."""
        return self.address("" if self.faults.login == "none" else f"{ENCODED}@")

    def address(self, login: str) -> str:
        """Its address, with `login` as given in front of the host."""
        return f"rtsp://{login}127.0.0.1:{self.port}/stream1"

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                link, _ = self._server.accept()
                self.clients.append(Client(self, link))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stopped.set()
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()
        for client in self.clients:
            client.close()


class Client:
    """One connection: a thread that answers, and one that plays."""

    def __init__(self, camera: RtspCamera, link: socket.socket) -> None:
        self._camera, self._faults, self._link = camera, camera.faults, link
        self.requests: list[str] = []
        """The head of each request."""
        self._sending = threading.Lock()
        self._send: Send | None = None
        self._udp: socket.socket | None = None
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        with suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._link.close()
        if self._udp is not None:
            self._udp.close()

    def _serve(self) -> None:
        with suppress(OSError):
            for request in self._heads():
                self.requests.append(request)
                number = re.search(r"^CSeq:.*$", request, re.M | re.I)
                assert number is not None
                status, lines, body = self._answer(request.split(" ", 1)[0], request)
                lines = [f"RTSP/1.0 {status}", number[0].strip(), *lines]
                lines += [f"Content-Length: {len(body)}"] if body else []
                with self._sending:
                    self._link.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
                if request.startswith("PLAY ") and status == "200 OK":  # FFmpeg drops what comes before the answer
                    self._threads.append(threading.Thread(target=self._play, daemon=True))
                    self._threads[-1].start()

    def _heads(self) -> Iterator[str]:
        """Requests, without what the client says about its reception in between (RFC 2326, 10.12)."""
        received = b""
        while part := self._link.recv(65_536):
            received += part
            while received:
                if received[:1] == b"$":
                    if len(received) < 4 or len(received) < 4 + int.from_bytes(received[2:4]):
                        break
                    received = received[4 + int.from_bytes(received[2:4]) :]
                    continue
                head, end, rest = received.partition(b"\r\n\r\n")
                if not end:
                    break
                received = rest
                yield head.decode()

    def _answer(self, method: str, request: str) -> tuple[str, list[str], str]:
        authorization = re.search(r"^Authorization: (.*)$", request, re.M | re.I)
        given = authorization[1].strip() if authorization else None
        if method != "OPTIONS" and not admits(self._faults.login, method, given):
            challenges = [f"WWW-Authenticate: {item}" for item in CHALLENGES[self._faults.login]]
            return "401 Unauthorized", challenges, ""
        match method:
            case "OPTIONS":
                return "200 OK", ["Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"], ""
            case "DESCRIBE" if self._faults.refusal is not None:
                return self._faults.refusal, [], ""
            case "DESCRIBE":
                base = f"Content-Base: {request.split()[1]}/"
                return "200 OK", [base, "Content-Type: application/sdp"], self._description()
            case "SETUP":
                return self._set_up(request)
        return "200 OK", ["Session: 1"], ""

    def _description(self) -> str:
        """SDP (RFC 4566)."""
        footage = self._camera.footage
        name = self._faults.announced or {"h264": "H264", "hevc": "H265"}[footage.codec]
        lines = ["v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=camera", "c=IN IP4 0.0.0.0", "t=0 0", "a=control:*"]
        lines += ["m=video 0 RTP/AVP 96", f"a=rtpmap:96 {name}/90000", "a=control:track1"]
        sets = [base64.b64encode(unit).decode() for unit in footage.parameter_sets]
        if self._faults.parameter_sets == "stream":
            sets = []
        if footage.codec == "h264":
            sprop = f";sprop-parameter-sets={','.join(sets)}" if sets else ""
            lines += [f"a=fmtp:96 packetization-mode=1{sprop}"]
        elif sets:
            lines += [f"a=fmtp:96 sprop-vps={sets[0]};sprop-sps={sets[1]};sprop-pps={sets[2]}"]
        return "\r\n".join([*lines, ""])

    def _set_up(self, request: str) -> tuple[str, list[str], str]:
        transport = re.search(r"^Transport: *(.*)$", request, re.M | re.I)
        assert transport is not None
        wanted = transport[1].strip()
        kind = "tcp" if "TCP" in wanted else "udp"
        if kind not in self._faults.transports:
            return "461 Unsupported Transport", [], ""
        if kind == "tcp":
            channel = int(wanted.partition("interleaved=")[2].partition("-")[0])
            self._send = lambda packet: self._interleave(channel, packet)
        else:
            port = int(wanted.partition("client_port=")[2].partition("-")[0])
            self._udp = link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            link.bind(("127.0.0.1", 0))
            own = int(link.getsockname()[1])
            wanted += f";server_port={own}-{own + 1}"
            self._send = lambda packet: link.sendto(packet, ("127.0.0.1", port))
        return "200 OK", ["Session: 1", f"Transport: {wanted}"], ""

    def _interleave(self, channel: int, packet: bytes) -> None:
        with self._sending:
            self._link.sendall(struct.pack(">cBH", b"$", channel, len(packet)) + packet)

    def _play(self) -> None:
        assert self._send is not None
        packets, began_s = 0, time.monotonic()
        with suppress(OSError):
            for number in range(10**9):
                due_s = began_s + number / self._faults.fps - time.monotonic()
                if number == self._faults.silent_after or self._camera.stopped.wait(max(0.0, due_s)):
                    return
                for marker, payload in _payloads(self._camera.footage, self._units(number)):
                    packets += 1
                    head = struct.pack(
                        ">BBHII",
                        0x80,
                        96 | marker << 7,
                        packets & 0xFFFF,
                        self._faults.timestamp(self._camera.footage.shown(number)) & 0xFFFFFFFF,
                        1,
                    )
                    if not self._faults.loses(packets):
                        self._send(head + payload)

    def _units(self, number: int) -> tuple[bytes, ...]:
        footage = self._camera.footage
        units = footage.units[(number + self._faults.joined_at) % len(footage.units)]
        if self._faults.parameter_sets == "description":
            return tuple(unit for unit in units if not is_parameter_set(footage.codec, unit))
        return units


def _payloads(footage: Footage, units: tuple[bytes, ...]) -> Iterator[tuple[bool, bytes]]:
    """The RTP payloads of one picture, each with its marker bit: true for the picture's last one."""
    for unit in units:
        fragments = [unit] if len(unit) <= LARGEST_BYTES else list(_fragments(footage, unit))
        for index, fragment in enumerate(fragments):
            yield unit is units[-1] and index == len(fragments) - 1, fragment


def _fragments(footage: Footage, unit: bytes) -> Iterator[bytes]:
    """FU-A (RFC 6184, 5.8), or an H.265 fragmentation unit (RFC 7798, 4.4.3)."""
    if footage.codec == "h264":
        kind, header, body = unit[0] & 31, bytes([unit[0] & 0xE0 | 28]), unit[1:]
    else:
        kind, header, body = unit[0] >> 1 & 63, bytes([unit[0] & 0x81 | 49 << 1, unit[1]]), unit[2:]
    for start in range(0, len(body), LARGEST_BYTES):
        first, last = start == 0, start + LARGEST_BYTES >= len(body)
        yield header + bytes([kind | first << 7 | last << 6]) + body[start : start + LARGEST_BYTES]
