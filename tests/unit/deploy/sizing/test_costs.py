"""What a frame costs: as measured, scaled by its pixels, and as published where nothing was measured."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.sizing.costs import (
    Resolution,
    SourcedNumber,
    measured_costs,
    measured_speed,
    own_costs,
    published_costs,
    published_speed,
    weakest,
)
from deploy.sizing.measured import BenchFigures, Encoding
from deploy.sizing.published import GPUS, MODELS
from tests.unit.deploy.sizing.plants import HD, VGA, measured, on_a_busy_machine

ENCODINGS: tuple[Encoding, ...] = ("passthrough", "jpeg")


def test_a_process_s_own_cost_is_what_pictures_and_model_leave_of_its_time() -> None:
    own = own_costs(measured())
    # ingest 5.0 - 3.0 - 1.0; workers 7.0 - 1.0 - 5.0; broker 0.8 + 0.2
    assert own == pytest.approx({"ingest": 1.0, "workers": 1.0, "sinks": 1.0, "broker": 1.0})


def test_at_the_measured_resolution_the_costs_are_those_of_the_line() -> None:
    bench = measured()
    costs = measured_costs(VGA, bench, "jpeg")
    assert bench.line is not None
    assert costs.ingest_ms.value == pytest.approx(bench.line.cpu_ms["ingest"])
    assert costs.all_ms + 5.0 == pytest.approx(sum(bench.line.cpu_ms.values()))
    assert costs.bytes == SourcedNumber(45_000, "measured", "andon bench")


def test_another_resolution_is_scaled_by_its_pixels_and_says_so() -> None:
    costs = measured_costs(Resolution(1280, 960), measured(), "jpeg")
    assert costs.ingest_ms.value == pytest.approx(4 * 4.0 + 1.0)
    assert costs.sinks_ms.value == pytest.approx(1.0)
    assert costs.bytes.source == "andon bench at 640x480, times 4.00 for its pixels"


def test_without_a_line_the_own_costs_are_published_ones() -> None:
    costs = measured_costs(VGA, measured(line=None), "jpeg")
    assert costs.bytes.basis == "measured"
    assert costs.ingest_ms.basis == "published"
    assert costs.ingest_ms.value > 4.0
    assert measured_costs(VGA, measured(pictures=()), "jpeg") == published_costs(VGA, "jpeg")


def test_what_is_passed_through_costs_ingest_no_picture_and_a_worker_the_decoding() -> None:
    """Measured with JPEGs or passed through: the processes' own costs are the same."""
    bench = measured()
    costs = measured_costs(VGA, bench, "passthrough")
    assert (costs.ingest_ms.value, costs.worker_ms.value) == pytest.approx((1.0, 1.0 + 3.0))
    assert costs.bytes == SourcedNumber(6_000, "measured", "andon bench")
    assert bench.line is not None
    passed = bench.line.model_copy(update={"cpu_ms": bench.line.cpu_ms | {"ingest": 1.0, "workers": 9.0}})
    assert measured_costs(VGA, measured(encoding="passthrough", line=passed), "passthrough") == costs
    assert measured_costs(VGA, measured(encoding="passthrough", line=passed), "jpeg") == measured_costs(
        VGA, bench, "jpeg"
    )


def test_a_bench_that_did_not_measure_h264_s_size_leaves_it_assumed() -> None:
    (pictures,) = measured().pictures
    older = BenchFigures.model_validate(
        measured(pictures=(pictures.model_copy(update={"h264_bytes": 0}),)).model_dump(exclude={"encoding"})
    )
    assert older.encoding == "jpeg"
    assert measured_costs(VGA, older, "passthrough").bytes == published_costs(VGA, "passthrough").bytes


def test_a_figure_is_as_good_as_its_worst_number() -> None:
    numbers = [SourcedNumber(1, "measured", ""), SourcedNumber(1, "assumed", ""), SourcedNumber(1, "published", "")]
    assert weakest(*numbers) == "assumed"
    assert weakest(numbers[0], numbers[2]) == "published"


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("model", MODELS)
def test_every_model_has_a_speed_on_every_gpu(model: str, gpu: str) -> None:
    speed = published_speed(model, gpu, 640)
    assert speed is not None
    assert speed.on_gpu
    assert "T4" in speed.source
    t4 = MODELS[model].t4_ms
    assert speed.batches[0].ms == pytest.approx(t4) if gpu == "t4" else speed.batches[0].ms > 0


def test_an_l4_counts_by_its_memory_and_not_by_its_tflops() -> None:
    t4, l4 = published_speed("yolo26s", "t4", 640), published_speed("yolo26s", "l4", 640)
    assert t4 is not None
    assert l4 is not None
    assert l4.batches[0].ms == pytest.approx(t4.batches[0].ms * 320 / 300)


def test_what_nobody_published_on_a_processor_is_unknown() -> None:
    assert published_speed("rtdetr-l", "cpu", 640) is None
    speed = published_speed("yolo26n", "cpu", 320)
    assert speed is not None
    assert not speed.on_gpu
    assert speed.batches[0].ms == pytest.approx(38.9 / 4)


def test_the_fastest_batch_that_keeps_the_latency_is_taken() -> None:
    model = measured().model
    assert model is not None
    speed = measured_speed(model)
    fast, small = speed.fastest_within(1.0), speed.fastest_within(0.1)
    assert fast is not None
    assert small is not None
    assert (fast.batch, small.batch) == (8, 1)  # 3 x (20 + 24) = 132 ms is above 100
    assert speed.fastest_within(0.05) is None


@on_a_busy_machine
@given(st.integers(16, 4000), st.integers(16, 4000), st.integers(0, 500))
def test_a_larger_picture_never_costs_less(width: int, height: int, more: int) -> None:
    small, large = Resolution(width, height), Resolution(width + more, height)
    for encoding in ENCODINGS:
        for costs in (
            partial(published_costs, encoding=encoding),
            partial(measured_costs, bench=measured(), encoding=encoding),
        ):
            assert costs(large).all_ms >= costs(small).all_ms
            assert costs(large).bytes.value >= costs(small).bytes.value


def test_the_published_costs_are_near_what_the_line_was_measured_at() -> None:
    """docs/performance.md, as JPEG: ingest 2.42, worker without its model 2.0, sinks 0.66 CPU ms for 640x480."""
    costs = published_costs(VGA, "jpeg")
    assert costs.ingest_ms.value == pytest.approx(2.42, rel=0.5)
    assert costs.worker_ms.value == pytest.approx(2.0, rel=0.1)
    assert costs.sinks_ms.value == pytest.approx(0.66, rel=0.1)
    assert published_costs(HD, "passthrough").ingest_ms.value == pytest.approx(1.0, abs=0.15)
