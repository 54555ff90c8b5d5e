"""The parts of `andon bench`: the machine, the clockwork, pictures and the model."""

import threading
from pathlib import Path

import pytest

from andon.settings import BatchSettings, ModelSettings, PoolSettings
from deploy.sizing.bench import machine, model, pictures
from deploy.sizing.bench.timing import LEAST_ROUNDS, time_rounds, time_threads
from deploy.sizing.costs import Resolution
from tests.detectors import FakeDetector, grey

INTEL = "processor\t: 0\nmodel name\t: A processor @ 2.00GHz\nflags\t\t: fpu avx2 avx512f amx_bf16\n\nmodel name\t: B\n"


def test_the_machine_names_its_processor_and_its_vector_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(INTEL)
    monkeypatch.setattr(machine, "CPUINFO", cpuinfo)
    here = machine.look()
    assert here.processor == "A processor @ 2.00GHz"
    assert here.vector_units == ("avx2", "avx512f", "amx_bf16")
    assert here.cores >= 1
    assert here.memory_bytes > 1e8


def test_a_machine_without_cpuinfo_has_a_name_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "none")
    assert machine.look().processor
    assert machine.look().vector_units == ()


def test_a_program_that_is_missing_or_fails_has_no_output() -> None:
    assert machine.output_of(["/no/such/program"]) == ""
    assert machine.output_of(["false"]) == ""
    assert machine.output_of(["echo", "NVIDIA L4"]) == "NVIDIA L4"


def test_work_is_timed_after_a_round_that_does_not_count() -> None:
    calls: list[int] = []
    found = time_rounds(lambda: calls.append(1), 0.0)
    assert len(calls) == 1 + LEAST_ROUNDS
    assert found.wall_ms >= 0
    assert found.cpu_ms >= 0


def test_each_thread_does_its_rounds_at_the_same_time() -> None:
    meeting = threading.Barrier(3, timeout=30)
    first = iter([True])

    def work() -> None:
        if not next(first, False):  # the round that does not count is alone
            meeting.wait()

    found = time_threads(work, 3, 0.0)
    assert found.calls_per_s > 0


def test_what_fails_on_a_thread_fails_the_measurement() -> None:
    rounds = iter([None])

    def work() -> None:
        if next(rounds, "failed"):
            raise ValueError("no memory")

    with pytest.raises(ValueError, match="no memory"):
        time_threads(work, 2, 0.0)


def test_pictures_of_a_resolution_are_timed_in_every_format() -> None:
    at = Resolution(320, 240)
    drawn = pictures.drawn(at)
    assert {picture.shape for picture in drawn} == {(240, 320, 3)}
    found = pictures.measure(at, drawn, 320, 0.0)
    assert (found.width, found.height) == (320, 240)
    assert 2_000 < found.jpeg_bytes < 60_000
    assert 100 < found.h264_bytes < found.jpeg_bytes
    assert min(found.h264_decode_ms, found.jpeg_encode_ms, found.jpeg_decode_ms, found.png_decode_ms) > 0


def test_the_model_is_timed_by_batches_up_to_the_pool_s_own() -> None:
    detector = FakeDetector()
    pool = PoolSettings(model=ModelSettings(weights="line.pt"), batch=BatchSettings(size=6, max_wait_ms=15))
    found = model.measure(detector, pool, [grey(10), grey(200)], 0.0)
    assert [each.batch for each in found.batches] == [1, 4, 6]
    assert (found.weights, found.runtime, found.window_ms, found.imgsz) == ("line.pt", "fake", 15, 320)
    assert set(detector.batches) == {1, 4, 6}
    assert all(each.batch_ms > 0 and each.ms > 0 for each in found.batches)


@pytest.mark.parametrize(("largest", "sizes"), [(1, [1]), (2, [1, 2]), (4, [1, 4]), (8, [1, 4, 8])])
def test_no_batch_is_larger_than_the_pool_s(largest: int, sizes: list[int]) -> None:
    assert model.batch_sizes(largest) == sizes
