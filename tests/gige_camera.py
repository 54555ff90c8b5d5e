"""Aravis' own fake GigE Vision camera: a real process that speaks the protocol over UDP, on loopback."""

import fcntl
import itertools
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from ingest.sources.aravis import library
from ingest.sources.source import SourceError

PROGRAM = "arv-fake-gv-camera-0.8"
ADDRESS = "127.0.0.1"
PORT = 3956
"""Of the control channel. Source: GigE Vision 2.0. No camera listens at another, so a machine runs one of these."""
DISCOVERY = bytes.fromhex("42 11 0002 0000 0001")
"""Its acknowledgement has the camera's serial number. Source: GigE Vision 2.0, discovery command."""
SERIAL = slice(8 + 216, 8 + 232)
_NUMBERS = itertools.count(1)
START_S = 30.0
BLOCK = 256
"""Bytes of its memory that are read at once."""
LOCK = Path(tempfile.gettempdir()) / "andon-fake-gige-camera.lock"
"""Shared by all processes of tests on this machine."""


def missing() -> str:
    """Why there is no fake camera here, and what to install; empty: there is one."""
    if shutil.which(PROGRAM) is None:
        return f"no {PROGRAM} here: apt-get install aravis-tools gir1.2-aravis-0.8 python3-gi"
    try:
        library()
    except SourceError as error:
        return str(error)
    return ""


class GigeCamera:
    """512x512, Mono8, 25 pictures a second by default; pixel (0, 0) of a Mono8 picture is its frame id modulo 255."""

    def __init__(self, lost_per_thousand: int = 0, genicam: Path | None = None) -> None:
        """`lost_per_thousand`: packets of pictures that it leaves out. `genicam`: its features; None: Aravis' own."""
        self.serial = f"T{os.getpid()}-{next(_NUMBERS)}"
        """No other camera of any test has it."""
        self.url = f"gige:{ADDRESS}"
        """By its address: a search for its serial number takes a second."""
        self._command = [PROGRAM, "-i", ADDRESS, "-s", self.serial, "-r", str(lost_per_thousand)]
        self._command += [] if genicam is None else ["-g", str(genicam)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:  # it ends if the port is taken
                self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if self._answers():
                return self
        self.kill()
        raise RuntimeError(f"{PROGRAM} does not answer at {ADDRESS}:{PORT}: is another camera there?")

    def _answers(self) -> bool:
        """Whether this camera, and no other one, listens at the port. Waits for a tenth of a second."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking, suppress(OSError):
            asking.settimeout(0.1)
            asking.connect((ADDRESS, PORT))
            asking.send(DISCOVERY)
            return asking.recv(1024)[SERIAL].split(b"\0")[0].decode() == self.serial
        return False

    def features(self, *names: str) -> dict[str, str]:
        """The values that it has, by their names, as Aravis reads them. Nobody else may have it open."""
        device = library().Camera.new(ADDRESS).get_device()
        return {name: device.get_feature(name).get_value_as_string() for name in names}

    def description(self) -> str:
        """The XML of its features, from its memory. Source: GigE Vision 2.0: the place stands at 0x200, as
        `Local:NAME;ADDRESS;SIZE` in hexadecimal. (Aravis' binding reads beyond its end.)"""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(START_S)
            asking.connect((ADDRESS, PORT))
            place = b"".join(_memory(asking, at) for at in range(0x200, 0x400, BLOCK)).split(b"\0")[0]
            address, size = (int(text, 16) for text in place.decode().split(";")[1:])
            text = b"".join(_memory(asking, at) for at in range(address, address + size, BLOCK))
        return text[:size].decode()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """It answers nothing more, as if its cable were pulled."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)


def _memory(asking: socket.socket, address: int) -> bytes:
    """BLOCK bytes from there on. Source: GigE Vision 2.0, READMEM command."""
    asking.send(bytes.fromhex("42 01 0084 0008 0001") + struct.pack(">II", address, BLOCK))
    return asking.recv(1024)[12:]


def with_more_features(description: str) -> str:
    """A camera that can mirror, expose by itself, load settings, and say how deep its samples are. Its registers keep
    what is written, and nothing else follows from it."""
    switch = '<Enumeration Name="ExposureAuto">{}<pValue>ExposureAutoRegister</pValue></Enumeration>'
    entries = "".join(
        f'<EnumEntry Name="{name}"><Value>{value}</Value></EnumEntry>'
        for value, name in enumerate(("Off", "Once", "Continuous"))
    )
    nodes = [
        switch.format(entries),
        '<Command Name="UserSetLoad"><pValue>UserSetLoadRegister</pValue><CommandValue>7</CommandValue></Command>',
    ]
    for name in ("ReverseX", "ReverseY"):
        values = "<OnValue>1</OnValue><OffValue>0</OffValue>"
        nodes.append(f'<Boolean Name="{name}"><pValue>{name}Register</pValue>{values}</Boolean>')
    names = ["ExposureAutoRegister", "UserSetLoadRegister", "ReverseXRegister", "ReverseYRegister"]
    for number, name in enumerate([*names, "PixelDynamicRangeMax"]):
        where = f"<Address>0x{0x400 + 4 * number:x}</Address><Length>4</Length><AccessMode>RW</AccessMode>"
        kind = "<pPort>Device</pPort><Sign>Unsigned</Sign><Endianess>BigEndian</Endianess>"
        nodes.append(f'<IntReg Name="{name}">{where}{kind}</IntReg>')
    return description.replace("</RegisterDescription>", "".join(nodes) + "</RegisterDescription>")


@contextmanager
def gige_camera(lost_per_thousand: int = 0, genicam: Path | None = None) -> Iterator[GigeCamera]:
    """The machine's one fake camera; waits for other tests that use it."""
    with LOCK.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        camera = GigeCamera(lost_per_thousand, genicam)
        try:
            yield camera.start()
        finally:
            camera.kill()
