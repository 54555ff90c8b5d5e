"""A real broker's frames topic, cameras on it, and cameras that misbehave."""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Self

from aiokafka import TopicPartition

from andon.clock import SystemClock
from andon.events import CameraChanged, silent
from andon.messages import CameraStatus, Frame, Message, ShedRange
from andon.settings import CameraSettings, KafkaSettings, Settings
from andon.stream.clients import consumer, producer, started
from andon.stream.publisher import KafkaPublisher
from andon.stream.topics import ensure_topics
from andon.wire import Record, decode
from ingest.camera import Camera
from ingest.capture import Tools
from ingest.publisher import Route
from ingest.sources.choice import open_source
from tests.fakes import RecordedEvents

READ_S = 60.0
WAIT_S = 60.0
"""For what must come at some time, on a machine that does much else."""


def settings(camera_id: str, url: str | Path, **values: object) -> CameraSettings:
    values = {"open_timeout_s": 1.0, "read_timeout_s": 1.0, "reconnect_max_s": 1.0, **values}
    return CameraSettings.model_validate({"id": camera_id, "url": str(url), **values})


class Line:
    """Cameras in this process, on a real broker."""

    def __init__(self, publisher: KafkaPublisher, kafka: KafkaSettings) -> None:
        self._publisher = publisher
        self._kafka = kafka
        self.events = RecordedEvents()
        self.stop = asyncio.Event()

    def camera(self, camera: CameraSettings) -> Camera:
        route = Route(camera.id, self._kafka.frames_topic, self._publisher, 5.0)
        return Camera(camera, route, Tools(open_source, SystemClock(), self.events, self._kafka.max_record_bytes))

    def states(self, camera_id: str) -> list[str]:
        return [event.state for event in self.events.of(CameraChanged) if event.camera == camera_id]

    def details(self, camera_id: str) -> list[str]:
        return [event.detail for event in self.events.of(CameraChanged) if event.camera == camera_id]


@asynccontextmanager
async def line_on(kafka: KafkaSettings) -> AsyncIterator[Line]:
    await ensure_topics(Settings(kafka=kafka), silent)
    async with started(lambda: producer(kafka), kafka, silent) as client:
        yield Line(KafkaPublisher(client), kafka)


async def until(met: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
    """Wait for what a real server does; fails after so long."""
    async with asyncio.timeout(timeout_s):
        while not met():
            await asyncio.sleep(0.02)


async def raw_log(kafka: KafkaSettings) -> list[Record]:
    """Everything in the frames topic, in the order of each partition."""
    records: list[Record] = []
    partitions = [TopicPartition(kafka.frames_topic, number) for number in range(kafka.partitions)]
    async with asyncio.timeout(READ_S), started(lambda: consumer(kafka, None), kafka, silent) as client:
        client.assign(partitions)
        ends = await client.end_offsets(partitions)
        while any([await client.position(part) < ends[part] for part in partitions]):
            batch = await client.getmany(timeout_ms=200)
            records += [
                Record(raw.topic, raw.partition, raw.offset, raw.timestamp, raw.key, raw.value, raw.headers)
                for part in batch.values()
                for raw in part
            ]
    return records


async def log(kafka: KafkaSettings, camera_id: str) -> list[Message]:
    messages = [decode(record) for record in await raw_log(kafka)]
    return [
        item for item in messages if isinstance(item, Frame | ShedRange | CameraStatus) and item.camera_id == camera_id
    ]


def numbers(messages: list[Message], session: str | None) -> list[int]:
    """The numbers accounted for in a session, in the order of the log."""
    found: list[int] = []
    for item in messages:
        if isinstance(item, Frame) and item.session == session:
            found.append(item.seq)
        if isinstance(item, ShedRange) and item.session == session:
            found += range(item.first_seq, item.last_seq + 1)
    return found


class FakeCamera:
    """A TCP server that answers RTSP as `answer` says; None: it takes the connection and never says a word."""

    def __init__(self, answer: str | None) -> None:
        self._answer = answer
        self._clients: list[socket.socket] = []
        self.has_request = False
        """A request has arrived."""
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self._clients.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            while request := client.recv(4096).decode():
                self.has_request = True
                if self._answer is not None:
                    number = next(line for line in request.split("\r\n") if line.startswith("CSeq"))
                    login = 'WWW-Authenticate: Digest realm="x", nonce="abc"'
                    client.sendall(f"RTSP/1.0 {self._answer}\r\n{number}\r\n{login}\r\n\r\n".encode())

    @property
    def connected(self) -> bool:
        return bool(self._clients)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.close()
        for client in self._clients:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)


class Ingester:
    """`andon ingest` as a process of its own."""

    def __init__(self, folder: Path, kafka: KafkaSettings, *cameras: Mapping[str, object], **run: object) -> None:
        path = folder / "line.yaml"
        flags = [f"--{flag}" for flag in ("once", "alone") if run.pop(flag, False)]
        named: object = "registry" if run.pop("registry", False) else cameras
        kafka_section = json.loads(kafka.model_dump_json(exclude={"sasl_password"}))
        spool = {"folder": str(folder / "spool"), **run.pop("spool", {})}  # type: ignore[dict-item]
        document = {"kafka": kafka_section, "cameras": named, "run": run, "spool": spool}
        path.write_text(json.dumps(document))  # JSON is YAML
        self._log = folder / "ingest.log"
        command = [sys.executable, "-m", "andon", "ingest", "-c", str(path), *flags]
        with self._log.open("wb") as log_file:
            self.process = subprocess.Popen(command, stderr=log_file, stdout=log_file, env=dict(os.environ))

    @property
    def log(self) -> str:
        return self._log.read_text()

    def metric(self, name: str) -> float:
        """Its value now, of the only camera."""
        address = re.search(r"http=(\S+)", self.log)
        assert address is not None
        with urllib.request.urlopen(f"http://{address[1]}/metrics", timeout=WAIT_S) as answer:
            values = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", answer.read().decode(), re.MULTILINE)
        return float(values[0]) if values else 0.0

    async def ended(self, timeout_s: float = WAIT_S) -> int:
        await until(lambda: self.process.poll() is not None, timeout_s)
        return int(self.process.returncode)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.kill()
        self.process.wait()
