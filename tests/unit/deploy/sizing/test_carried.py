"""How many cameras a measured machine carries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.sizing.carried import carried
from deploy.sizing.costs import Resolution
from deploy.sizing.measured import BatchFigures, CarriedCameras
from deploy.sizing.published import LOOP_PER_S
from tests.unit.deploy.sizing.plants import VGA, machine, measured, on_a_busy_machine


def row(**changed: object) -> CarriedCameras:
    (found,) = carried(measured(**changed), [VGA], [15.0])
    return found


def test_two_cores_carry_what_their_time_is_worth() -> None:
    # 14 CPU ms a frame by the line's own account; 0.7 of two cores are 1400 ms a second: 100 frames/s
    assert row().cameras == 6
    assert row().limit == "the processor"
    assert row(machine=machine(cores=4)).cameras == 13


def test_a_shorter_latency_takes_a_smaller_batch_that_costs_more() -> None:
    found = row(latency_s=0.1)
    assert found.batch == 1
    assert found.p99_ms == pytest.approx(72)
    assert found.cameras <= row().cameras


def test_a_latency_that_no_batch_keeps_carries_no_camera_and_says_why() -> None:
    found = row(latency_s=0.05)
    assert found.cameras == 0
    assert found.limit == "the aimed latency: the least here is 72 ms"


def test_a_gpu_leaves_the_processor_to_decode_until_one_of_them_or_the_process_is_full() -> None:
    model = measured().model
    assert model is not None
    batches = (BatchFigures(batch=8, ms=5.0, batch_ms=40.0, cpu_ms=0.1),)
    slow = model.model_copy(update={"device": "cuda:0", "batches": batches})
    assert row(model=slow, machine=machine(cores=64)).limit == "the GPU"
    assert row(model=slow, machine=machine(cores=64)).cameras == int(0.7 * 200 / 15)
    fast = slow.model_copy(update={"batches": (batches[0].model_copy(update={"ms": 0.2, "batch_ms": 1.6}),)})
    assert row(model=fast, machine=machine(cores=64)).cameras == int(LOOP_PER_S / 15)
    assert row(model=fast, machine=machine(cores=64)).limit == "one ingester, one worker"


def test_without_a_model_nothing_is_computed() -> None:
    assert carried(measured(model=None), [VGA], [15.0]) == ()


@on_a_busy_machine
@given(st.integers(1, 64), st.floats(1, 60), st.floats(1, 4), st.integers(100, 3000))
def test_more_frames_or_pixels_never_leave_room_for_more_cameras(
    cores: int, fps: float, times: float, side: int
) -> None:
    bench = measured(machine=machine(cores=cores))
    small, large = Resolution(side, side), Resolution(side, side + 100)
    slow, fast, big = (
        found.cameras
        for at, rate in ((small, fps), (small, fps * times), (large, fps))
        for found in carried(bench, [at], [rate])
    )
    assert slow >= fast
    assert slow >= big
