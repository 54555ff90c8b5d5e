"""`andon bench` on real parts: the demo's model, alone and in a whole line of real processes."""

import time
from pathlib import Path

import pytest

from andon.settings import BatchSettings, DefectSettings, ModelSettings, PoolSettings, Settings
from deploy.sizing.bench import line, model, pictures
from deploy.sizing.costs import Resolution, measured_costs
from tests.detectors import DEMO_WEIGHTS, grey
from tests.unit.deploy.sizing.plants import measured

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
PROCESSES = {"ingest", "workers", "sinks", "broker", "redis"}


@pytest.fixture
def settings(model_cache: Path) -> Settings:
    served = ModelSettings(weights=str(DEMO_WEIGHTS), cache=str(model_cache))
    pool = PoolSettings(model=served, batch=BatchSettings(size=4))
    return Settings(pools={"default": pool}, defects=DefectSettings(ignore=("part",)))


def test_the_model_of_a_pool_is_timed_as_a_worker_serves_it(settings: Settings) -> None:
    pool = settings.pools["default"]
    detector = model.opened(pool, "default", 200.0)
    found = model.measure(detector, pool, [grey(90, (480, 640))], 0.0)
    assert [each.batch for each in found.batches] == [1, 4]
    assert found.imgsz == 320
    assert all(min(each.ms, each.batch_ms, each.cpu_ms) > 0 for each in found.batches)


def test_a_whole_line_gives_the_cost_of_a_frame_in_each_process(settings: Settings, tmp_path: Path) -> None:
    trial = line.LineTrial(settings, "default", 2, 2, time.monotonic() + 200, "passthrough", span_s=8.0)
    found = line.measure(trial, tmp_path)
    assert set(found.cpu_ms) == PROCESSES
    assert all(found.cpu_ms[name] > 0 for name in ("ingest", "workers", "sinks"))
    assert min(found.frames_per_s, found.captured_per_s, found.busy) > 0
    assert 0 < found.p50_ms <= found.p99_ms
    at = Resolution(line.WIDTH, line.HEIGHT)
    frame = pictures.measure(at, pictures.drawn(at), 320, 0.0)
    costs = measured_costs(at, measured(pictures=(frame,), line=found, encoding="passthrough"), "passthrough")
    assert costs.sinks_ms.value == pytest.approx(found.cpu_ms["sinks"])
