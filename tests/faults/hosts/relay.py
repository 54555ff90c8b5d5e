"""`python -m tests.faults.hosts.relay PORT SWITCH DELAY_MS LOSS_PERCENT`: a bad cable, where the kernel has no netem.

It stands between a switch and the port of a host, in the namespace of the switches. It delays what the host sends, and
drops some of it; what the host receives passes at once. netem as the root qdisc of the host does the same. It writes
"ready" when packets pass.
"""

import fcntl
import os
import random
import selectors
import socket
import struct
import subprocess
import sys
import time
from collections import deque

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
ETH_P_ALL = 3
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_IGNORE_OUTGOING, PACKET_MR_PROMISC = 263, 1, 23, 1
LARGEST = 65_536
AT_ONCE = 64
"""Packets that are read before those that are due get their turn."""
WAITING = 1000
"""Packets that are on their way at most, as with netem: what comes on top is lost."""
BUFFER_BYTES = 4 << 20


def main(port: str, switch: str, delay_ms: int, loss_percent: float) -> None:
    """Never returns."""
    link = port_of(port)
    tap, name = tap_at(switch)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    chance = random.Random(name)
    late = deque[tuple[float, bytes]]()
    selector = selectors.DefaultSelector()
    selector.register(link, selectors.EVENT_READ)
    selector.register(tap, selectors.EVENT_READ)
    while True:
        wait_s = max(0.0, late[0][0] - time.monotonic()) if late else None
        for key, _ in selector.select(wait_s):
            if key.fileobj is link:
                due = time.monotonic() + delay_ms / 1000
                sent = [frame for frame in received(link) if chance.random() * 100 >= loss_percent]
                late += [(due, frame) for frame in sent[: WAITING - len(late)]]
            else:
                pass_on(tap, link)
        while late and late[0][0] <= time.monotonic():
            write(tap, late.popleft()[1])


def port_of(name: str) -> socket.socket:
    """The switch's end of a host's cable, with every packet that comes out of it."""
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    link.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    link.bind((name, ETH_P_ALL))
    promiscuous = struct.pack("iHH8s", socket.if_nametoindex(name), PACKET_MR_PROMISC, 0, b"")
    link.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, promiscuous)
    link.setblocking(False)
    return link


def tap_at(switch: str) -> tuple[int, str]:
    """A new port of the switch, whose packets this process reads and writes. It is gone when this process ends."""
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    request = fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", b"relay%d", IFF_TAP | IFF_NO_PI))
    name = request[:16].rstrip(b"\0").decode()
    subprocess.run(["ip", "link", "set", "dev", name, "up", "master", switch], check=True)
    return tap, name


def received(link: socket.socket) -> list[bytes]:
    frames: list[bytes] = []
    try:
        while len(frames) < AT_ONCE:
            frames.append(link.recv(LARGEST))
    except BlockingIOError:
        pass  # that was all
    return frames


def pass_on(tap: int, link: socket.socket) -> None:
    try:
        for _ in range(AT_ONCE):
            frame = os.read(tap, LARGEST)
            link.send(frame)
    except (BlockingIOError, OSError):
        pass  # that was all, or the port takes no more: the packet is lost


def write(tap: int, frame: bytes) -> None:
    try:
        os.write(tap, frame)
    except OSError:
        pass  # the switch takes no more: the packet is lost


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
