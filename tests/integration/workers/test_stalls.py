"""A worker whose model is slow, or still loads: /readyz says so, /livez stays green, and it goes on."""

import asyncio
from pathlib import Path

import pytest

from andon.settings import KafkaSettings
from tests.conftest import kafka_settings
from tests.integration.workers.line import Line, Worker, frame

pytestmark = pytest.mark.integration
SLOW = "tests.integration.workers.hanging"
STALLED_S = 2.0


@pytest.fixture
async def line(embedded_broker: str, tmp_path: Path) -> Line:
    """A line whose first frames wait for a worker."""
    kafka: KafkaSettings = kafka_settings(embedded_broker, embedded=True)
    line = Line(tmp_path, tmp_path / "models", kafka)
    line.document["run"] = {"stalled_s": STALLED_S}
    await line.create_topics()
    await line.publish(*(frame("press-1", seq) for seq in range(3)))
    return line


async def ready(worker: Worker, code: int, reason: str) -> None:
    """Returns when /readyz gives this code and says this."""
    async with asyncio.timeout(60):
        while "process.started" not in worker.log:
            await asyncio.sleep(0.05)
        while True:
            got, text = worker.get("/readyz")
            if got == code and reason in text:
                return
            await asyncio.sleep(0.05)


async def test_a_detector_that_takes_long_for_a_batch_is_named_until_it_has_done_it(line: Line) -> None:
    async with line.worker(SLOW, "slow detector") as worker:
        await ready(worker, 503, "the stage workers has made no progress for ")
        await ready(worker, 503, "(run.stalled_s): the model has been under way for ")
        assert worker.get("/livez")[0] == 200
        assert "event=work.stalled" in worker.log
        (line.folder / "go on").touch()
        await line.inspections(at_least=3)
        await ready(worker, 200, "")
        assert "event=work.resumed" in worker.log
        assert await worker.stop() == 0


async def test_a_worker_that_loads_its_model_is_not_ready_and_not_stalled(line: Line) -> None:
    async with line.worker(SLOW, "slow load") as worker:
        await ready(worker, 503, "not ready yet: the loading of the model has been under way for 3 s")
        assert worker.get("/livez")[0] == 200
        (line.folder / "go on").touch()
        await ready(worker, 200, "")
        assert "event=work.stalled" not in worker.log
        assert await worker.stop() == 0
