"""What a line needs, by published numbers: the arithmetic, and what must hold for every plant."""

from dataclasses import replace
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.errors import ConfigError
from deploy.sizing.measured import Encoding
from deploy.sizing.needs import Figure, Plant
from deploy.sizing.published import BROKER_BYTES_PER_S, LOOP_PER_S
from tests.unit.deploy.sizing.plants import HD, PLANTS, VGA, figures, on_a_busy_machine

FARM = Plant(200, 30.0, HD, retention_s=86_400.0)
GROWING = (
    "frames_per_s",
    "workers",
    "partitions",
    "brokers",
    "ingest_cores",
    "ingest_hosts",
    "worker_cores",
    "sinks",
    "ingest_bytes_per_s",
    "consumer_bytes_per_s",
    "disk_bytes",
    "spool_bytes",
    "ingest_memory_bytes",
)


def grows(before: dict[str, Figure], after: dict[str, Figure], keys: tuple[str, ...] = GROWING) -> bool:
    return all(after[key].value >= before[key].value * (1 - 1e-9) for key in keys)


@pytest.mark.parametrize(("encoding", "bytes_a_pixel"), [("passthrough", 0.02), ("jpeg", 0.12)])
def test_200_cameras_on_t4s_are_computed_by_hand(encoding: Encoding, bytes_a_pixel: float) -> None:
    found = figures(FARM, encoding=encoding)
    frame = bytes_a_pixel * 1920 * 1080
    assert found["frames_per_s"].value == 6000
    assert found["ingest_bytes_per_s"].value == pytest.approx(6000 * frame)
    # a T4 takes 2.5 ms: 0.7 x 400 = 280 frames/s, which is 9 whole cameras
    assert found["workers"].value == ceil(200 / 9)
    assert found["partitions"].value == 72
    assert found["replication_bytes_per_s"].value == pytest.approx(2 * 6000 * (frame + 1500))
    assert found["disk_bytes"].value == pytest.approx(3 * 6000 * (frame + 1500) * 86_400 * 1.1)
    assert found["brokers"].value == ceil(3 * 6000 * (frame + 1500) / BROKER_BYTES_PER_S)
    assert found["latency_p99_ms"].value == pytest.approx(3 * (20 + 8 * 2.5))


def test_each_figure_says_how_it_was_computed_and_on_what_it_rests() -> None:
    for figure in figures(FARM).values():
        assert figure.how
        assert figure.basis in ("asked", "measured", "published", "assumed")
        assert figure.basis != "published" or figure.source, figure.key


def test_a_process_carries_no_more_than_its_own_loop_however_fast_the_gpu_is() -> None:
    found = figures(replace(FARM, cameras=900, fps=1.0), "yolo26n", "h200")
    assert found["workers"].value == 1
    assert str(int(LOOP_PER_S)) in found["workers"].how
    assert figures(replace(FARM, cameras=901, fps=1.0), "yolo26n", "h200")["workers"].value == 2


def test_a_camera_that_no_worker_can_follow_is_refused_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"^--fps 30: one worker inspects 1\.3 frames/s of this model.*$"):
        figures(Plant(4, 30.0, VGA, latency_s=30), "yolo26x", "cpu")


def test_an_aimed_latency_below_the_model_s_own_is_refused_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"^--latency: 0\.05 s is below the \d+ ms that this model takes: .*$"):
        figures(replace(FARM, latency_s=0.05))


def test_a_shorter_latency_takes_a_smaller_batch() -> None:
    assert "batch of 8" in figures(FARM)["latency_p99_ms"].how
    assert "batch of 1" in figures(replace(FARM, latency_s=0.07))["latency_p99_ms"].how


@on_a_busy_machine
@given(PLANTS, st.integers(1, 1_000))
def test_more_cameras_need_no_less(plant: Plant, more: int) -> None:
    assert grows(figures(plant), figures(replace(plant, cameras=plant.cameras + more)))


@on_a_busy_machine
@given(PLANTS, st.floats(1, 2))
def test_more_frames_of_each_camera_need_no_less(plant: Plant, times: float) -> None:
    assert grows(figures(plant), figures(replace(plant, fps=plant.fps * times)))


@on_a_busy_machine
@given(PLANTS, st.floats(1, 10))
def test_a_longer_retention_needs_no_less_disk_and_nothing_else(plant: Plant, times: float) -> None:
    before, after = figures(plant), figures(replace(plant, retention_s=plant.retention_s * times))
    assert grows(before, after)
    assert after["workers"] == before["workers"]
    assert after["brokers"].value == before["brokers"].value


@on_a_busy_machine
@given(PLANTS)
def test_a_further_copy_needs_no_less(plant: Plant) -> None:
    after = figures(replace(plant, replication=plant.replication + 1))
    assert grows(figures(plant), after, (*GROWING, "replication_bytes_per_s"))
    assert after["brokers"].value >= plant.replication + 1


@on_a_busy_machine
@given(PLANTS, st.sampled_from(["yolo26n", "yolo26m", "rtdetr-l"]))
def test_a_faster_gpu_and_a_smaller_input_need_no_more_workers(plant: Plant, model: str) -> None:
    plant = replace(plant, fps=min(plant.fps, 20.0), latency_s=60.0)
    slow = figures(plant, model, "t4")["workers"].value
    assert figures(plant, model, "a10")["workers"].value <= slow
    assert figures(plant, model, "t4", imgsz=320)["workers"].value <= slow


@on_a_busy_machine
@given(PLANTS)
def test_workers_have_partitions_and_whole_cameras(plant: Plant) -> None:
    found = figures(plant)
    assert found["workers"].value <= min(plant.cameras, found["partitions"].value)
    assert found["broker_disk_bytes"].value * found["brokers"].value == pytest.approx(found["disk_bytes"].value)
    assert all(figure.value > 0 for figure in found.values() if figure.key != "replication_bytes_per_s")
