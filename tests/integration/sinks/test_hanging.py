"""A write of evidence or a transaction that never returns: the sink says so and ends; SIGTERM ends it, too."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from andon.events import silent
from andon.messages import RecordRef
from andon.settings import KafkaSettings, Settings
from andon.stream.offsets import Partition
from andon.stream.topics import ensure_topics
from sinks.store.store import Store
from sinks.store.stored import Batch, Leaving, Opening, Position
from tests.conftest import kafka_settings
from tests.fakes import START
from tests.outbox import an_evidence_item, an_order

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[3]
LIMIT_S = 2.0
DRAIN_S = 1.0
LINES = {
    "evidence": "evidence at {folder}/evidence has not returned for 2 s (sinks.evidence.timeout_s)",
    "store": "the store has not returned for 2 s (sinks.store_timeout_s)",
}


@pytest.fixture
def kafka(embedded_broker: str) -> KafkaSettings:
    return kafka_settings(embedded_broker, embedded=True)


async def a_line(folder: Path, kafka: KafkaSettings, limit_s: float) -> Path:
    """A line whose outbox holds the order for a picture; its frame is gone, so a note is to be stored instead."""
    settings: dict[str, Any] = {
        "kafka": kafka.model_dump(mode="json", exclude={"sasl_password"}),
        "sinks": {
            "store": f"sqlite:///{folder}/andon.db",
            "store_timeout_s": limit_s,
            "evidence": {"url": str(folder / "evidence"), "timeout_s": limit_s},
            "channels": {},
        },
        "run": {"drain_s": DRAIN_S},
    }
    await ensure_topics(Settings.model_validate(settings), silent)
    here, begin = Partition(kafka.inspections_topic, 0), Position(1, "", 0)
    item = an_evidence_item(an_order(RecordRef(topic=kafka.frames_topic, partition=0, offset=10_000)))
    store = await Store.open(settings["sinks"]["store"])
    await store.begin([Opening(here, begin, START, "the first", (), None)])
    await store.write([Batch(here, begin, 0, START, leaving=[Leaving("evidence", item.event_id, item.payload)])])
    await store.close()
    path = folder / "line.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


@contextmanager
def a_sink(part: str, line: Path) -> Iterator[subprocess.Popen[str]]:
    """A sink that has reached the part that blocks."""
    command = [sys.executable, "-m", "tests.integration.sinks.hanging", part, "-c", str(line)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        for text in process.stderr:
            if text == "it blocks\n":
                break
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("part", LINES)
async def test_a_part_that_never_returns_ends_the_sink_with_one_line(
    part: str, kafka: KafkaSettings, tmp_path: Path
) -> None:
    with a_sink(part, await a_line(tmp_path, kafka, LIMIT_S)) as process:
        _, output = process.communicate(timeout=60)
        assert process.returncode == 1
    complaints = [line for line in output.splitlines() if line.startswith("andon sink: ")]
    assert len(complaints) == 1
    assert LINES[part].format(folder=tmp_path) in complaints[0]


@pytest.mark.parametrize("part", LINES)
async def test_sigterm_ends_a_sink_with_a_part_that_never_returns(
    part: str, kafka: KafkaSettings, tmp_path: Path
) -> None:
    with a_sink(part, await a_line(tmp_path, kafka, 600.0)) as process:
        process.terminate()
        process.communicate(timeout=60)  # long before the limit
        assert process.returncode == 1
