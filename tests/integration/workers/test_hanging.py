"""A detector, a decoder, a load or an export that never returns: the worker says so and ends; SIGTERM ends it, too."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from andon.settings import KafkaSettings
from tests.conftest import kafka_settings
from tests.integration.workers.line import Line, Worker, frame

pytestmark = pytest.mark.integration
HANGING = "tests.integration.workers.hanging"
LIMIT_S = 2.0
DRAIN_S = 3.0
PARTS = {
    "detector": ("inference_timeout_s", "the model has not returned for 2 s (worker.inference_timeout_s)"),
    "decoder": ("decode_timeout_s", "a picture's decoder has not returned for 2 s (worker.decode_timeout_s)"),
    "load": ("load_timeout_s", "the loading of the model has not returned for"),
    "export": ("export_timeout_s", "exporting it has not returned for 2 s (worker.export_timeout_s)"),
}
"""The setting that limits each part, and the line that names it."""


@pytest.fixture
def kafka(embedded_broker: str) -> KafkaSettings:
    return kafka_settings(embedded_broker, embedded=True)


async def line_with(part: str, limit_s: float, kafka: KafkaSettings, folder: Path) -> Line:
    """A line whose first frame waits for a worker."""
    limits = {PARTS[part][0]: limit_s} | ({"export_timeout_s": 0.1} if part == "load" else {})
    line = Line(folder, folder / "models", kafka, **limits)
    line.document["run"] = {"drain_s": DRAIN_S}
    await line.create_topics()
    await line.publish(frame("press-1", 0))
    return line


async def hangs(worker: Worker, part: str, line: Line) -> None:
    """Returns when the worker is inside the part that never returns."""
    async with asyncio.timeout(60):
        while not (line.exports() if part == "export" else "it blocks" in worker.log):
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("part", PARTS)
async def test_a_part_that_never_returns_ends_the_worker_with_one_line(
    part: str, kafka: KafkaSettings, tmp_path: Path
) -> None:
    line = await line_with(part, LIMIT_S, kafka, tmp_path)
    async with line.worker(HANGING, part) as worker:
        assert await worker.exit_code() == 1
    complaints = [text for text in worker.log.splitlines() if text.startswith("andon work: ")]
    assert len(complaints) == 1
    assert PARTS[part][1] in complaints[0]
    if part in ("detector", "decoder"):
        committed, _ = await line.committed()
        assert committed == 0, "the frame is there for the next attempt"


@pytest.mark.parametrize("part", PARTS)
async def test_sigterm_ends_a_worker_whose_part_never_returns(part: str, kafka: KafkaSettings, tmp_path: Path) -> None:
    line = await line_with(part, 300.0, kafka, tmp_path)
    async with line.worker(HANGING, part) as worker:
        await hangs(worker, part, line)
        code = await worker.stop(signal.SIGTERM)  # long before the limit
    assert code == (0 if part in ("export", "load") else 1), "0: it held nothing yet"
    assert not exports_of(tmp_path)


def exports_of(folder: Path) -> list[str]:
    """The command lines of exports that outlived their worker."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command and int(process.name) != os.getpid():
            found.append(command)
    return found
