"""A real `andon work` on a real broker: frames put in, inspections and commits read out."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import yaml

from andon.events import silent
from andon.messages import Frame, Inspection, Message
from andon.settings import KafkaSettings, Settings
from andon.stream.clients import consumer, producer, started
from andon.stream.lag import group_lag
from andon.stream.publisher import KafkaPublisher
from andon.stream.topics import ensure_topics
from andon.wire import Outgoing, Record
from andon.wire import decode as read_record
from andon.wire import encode as write_record
from tests.detectors import DEMO_WEIGHTS, grey

PICTURE = cv2.imencode(".jpg", grey(120, (240, 320)))[1].tobytes()


def frame(camera_id: str, seq: int, **fields: Any) -> Frame:
    """Captured now: a broker deletes records whose own time is past its retention, however lately they came."""
    given: dict[str, Any] = {"captured_at": datetime.now(UTC), "payload": PICTURE} | fields
    return Frame(camera_id=camera_id, session="s", seq=seq, clock="host", width=320, height=240, **given)


class Line:
    """One pool on one broker."""

    def __init__(self, folder: Path, cache: Path, kafka: KafkaSettings, **worker: Any) -> None:
        self.folder = folder
        self.document: dict[str, Any] = {
            "kafka": kafka.model_dump(mode="json", exclude={"sasl_password"}),
            "pools": {"default": {"model": {"weights": str(DEMO_WEIGHTS), "cache": str(cache)}}},
            "worker": worker,
        }

    @property
    def model(self) -> dict[str, Any]:
        model: dict[str, Any] = self.document["pools"]["default"]["model"]
        return model

    @property
    def settings(self) -> Settings:
        return Settings.model_validate(self.document)

    @property
    def kafka(self) -> KafkaSettings:
        return self.settings.kafka

    def exports(self) -> list[Path]:
        """Folders of exports that are being made."""
        return list(Path(self.model["cache"]).glob("export-*"))

    async def create_topics(self) -> None:
        await ensure_topics(self.settings, silent)

    async def publish(self, *items: Message | Outgoing) -> None:
        """Onto the frames topic, in order."""
        async with started(lambda: producer(self.kafka), self.kafka, silent) as client:
            sending = KafkaPublisher(client)
            for item in items:
                record = item if isinstance(item, Outgoing) else write_record(item)
                await (await sending.send(self.kafka.frames_topic, record))

    @asynccontextmanager
    async def worker(self, *command: str) -> AsyncIterator["Worker"]:
        """`command`: what runs in place of `andon work`."""
        path = self.folder / "line.yaml"
        path.write_text(yaml.safe_dump(self.document))
        log = (self.folder / "log").open("w+b")
        run = [sys.executable, "-m", *(command or ("andon", "work")), "-c", str(path)]
        process = subprocess.Popen(run, stderr=log, start_new_session=True)  # noqa: ASYNC220 - it starts at once
        try:
            yield Worker(process, self.folder / "log")
        finally:
            process.kill()
            process.wait()
            log.close()

    async def published(self, topic: str, at_least: int, within_s: float = 60.0) -> list[Record]:
        """What lies in `topic`, once it is `at_least` so much."""
        found: list[Record] = []
        async with started(lambda: consumer(self.kafka, None), self.kafka, silent) as client:
            client.subscribe([topic])  # in no group: all of its partitions, from their beginning
            async with asyncio.timeout(within_s):
                while len(found) < at_least:
                    batches = await client.getmany(timeout_ms=200)
                    found += [_record(raw) for records in batches.values() for raw in records]
        return found

    async def messages(self, at_least: int) -> list[Message]:
        return [read_record(record) for record in await self.published(self.kafka.inspections_topic, at_least)]

    async def inspections(self, at_least: int, within_s: float = 60.0) -> list[Inspection]:
        records = await self.published(self.kafka.inspections_topic, at_least, within_s)
        return [message for message in map(read_record, records) if isinstance(message, Inspection)]

    async def inspections_until(
        self, enough: Callable[[Sequence[Inspection]], bool], within_s: float = 60.0
    ) -> list[Inspection]:
        """All of them, once there are enough."""
        found: list[Inspection] = []
        async with started(lambda: consumer(self.kafka, None), self.kafka, silent) as client:
            client.subscribe([self.kafka.inspections_topic])
            async with asyncio.timeout(within_s):
                while not enough(found):
                    batches = await client.getmany(timeout_ms=200)
                    messages = [read_record(_record(raw)) for records in batches.values() for raw in records]
                    found += [message for message in messages if isinstance(message, Inspection)]
        return found

    async def committed(self) -> tuple[int, int]:
        """(committed, end) of the worker group, over all partitions."""
        lags = await group_lag(self.kafka, self.settings.worker_group("default"), self.kafka.frames_topic)
        assert lags is not None
        return sum(lag.committed for lag in lags), sum(lag.end for lag in lags)


class Worker:
    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        return self._log.read_text()

    async def interrupt(self) -> int:
        """Ctrl-C: it reaches the worker and what the worker has started."""
        os.killpg(self._process.pid, signal.SIGINT)
        return await self.exit_code()

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self._process.send_signal(number)
        return await self.exit_code()

    async def exit_code(self) -> int:
        return await asyncio.to_thread(self._process.wait, 60)

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of this worker's own endpoint."""
        found = re.search(r"http=(\S+)", self.log)
        assert found is not None
        try:
            with urllib.request.urlopen(f"http://{found[1]}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


def seqs(inspections: Sequence[Inspection]) -> dict[str, list[int]]:
    by_camera: dict[str, list[int]] = {}
    for inspection in inspections:
        by_camera.setdefault(inspection.camera_id, []).append(inspection.seq)
    return by_camera


def _record(raw: Any) -> Record:
    return Record(raw.topic, raw.partition, raw.offset, raw.timestamp, raw.key, raw.value, raw.headers)
