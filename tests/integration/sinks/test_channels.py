"""A sink process with channels of another package sends its alerts, and quarantines a record that it cannot read."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from andon.events import silent
from andon.messages import RecordRef
from andon.settings import KafkaSettings, Settings
from andon.stream.clients import producer, reader, started
from andon.stream.offsets import Partition
from andon.stream.publisher import KafkaPublisher
from andon.stream.reading import RecordReader
from andon.stream.topics import ensure_topics
from andon.wire import Outgoing, Record
from sinks.store.store import Store
from sinks.store.stored import Batch, Leaving, Opening, Position
from tests import lamp
from tests.conftest import kafka_settings
from tests.fakes import START
from tests.outbox import an_item

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[3]


@pytest.fixture
def kafka(embedded_broker: str) -> KafkaSettings:
    return kafka_settings(embedded_broker, embedded=True)


async def a_line(folder: Path, kafka: KafkaSettings) -> Path:
    """A line with two lamps. An alert waits in the outbox for each of them, and for a lamp that was switched off."""
    settings: dict[str, Any] = {
        "kafka": kafka.model_dump(mode="json", exclude={"sasl_password"}),
        "sinks": {
            "store": f"sqlite:///{folder}/andon.db",
            "evidence": {"url": str(folder / "evidence")},
            "channels": {name: {"type": "lamp", "file": str(folder / name)} for name in ("hall-1", "hall-2")},
        },
        "run": {"drain_s": 2.0},
    }
    await ensure_topics(Settings.model_validate(settings), silent)
    here, begin = Partition(kafka.inspections_topic, 0), Position(1, "", 0)
    item = an_item(1)
    leaving = [Leaving(name, item.event_id, item.payload) for name in ("hall-1", "hall-2", "hall-3")]
    store = await Store.open(settings["sinks"]["store"])
    await store.begin([Opening(here, begin, START, "the first", (), None)])
    await store.write([Batch(here, begin, 0, START, leaving=leaving)])
    await store.close()
    path = folder / "line.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


async def quarantined(kafka: KafkaSettings) -> Record:
    """The first record of the quarantine topic, when there is one."""
    deadline_s = time.monotonic() + 60
    async with started(lambda: reader(kafka), kafka, silent) as client:
        records = RecordReader(client)
        while time.monotonic() < deadline_s:
            record = await records.read(RecordRef(topic=kafka.quarantine_topic, partition=0, offset=0))
            if record is not None:
                return record
    raise AssertionError("nothing was quarantined")


@contextmanager
def a_sink(line: Path, site: Path) -> Iterator[subprocess.Popen[str]]:
    """`andon sink` that sees the packages in `site`."""
    command = [sys.executable, "-m", "andon", "sink", "-c", str(line)]
    environment = {**os.environ, "PYTHONPATH": str(site)}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


async def test_alerts_leave_by_each_channel_and_an_unreadable_record_is_quarantined(
    kafka: KafkaSettings, tmp_path: Path
) -> None:
    line = await a_line(tmp_path, kafka)
    lamp.install(tmp_path / "site")
    garbage = Outgoing(b"press-1", b"\xff\x00 no JSON", [("odd", b"\xfe")], 7)
    async with started(lambda: producer(kafka), kafka, silent) as client:
        await (await KafkaPublisher(client).send(kafka.inspections_topic, garbage))
    with a_sink(line, tmp_path / "site") as process:
        record = await quarantined(kafka)
        process.terminate()
        _, output = process.communicate(timeout=60)
    assert process.returncode == 0
    assert (record.key, record.value) == (garbage.key, garbage.value)
    assert dict(record.headers)["andon_quarantine_topic"] == kafka.inspections_topic.encode()
    for name in ("hall-1", "hall-2"):
        assert (tmp_path / name).read_text() == an_item(1).event_id + "\n"
    (given_up,) = [text for text in output.splitlines() if "outbox.given_up" in text]
    assert "channel=hall-3" in given_up
    assert "no channel of this name is configured" in given_up
