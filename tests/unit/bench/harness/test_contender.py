"""A contender counts its frames, and the bench reads its output."""

import sys
from collections.abc import Iterator

import pytest

from andon.errors import FatalError
from bench.harness import contender
from bench.harness.contender import Meter, Throughput


def meter(*moments: tuple[float, float]) -> Meter:
    """Warm-up of 2 s, then a span of 10 s. `moments` are wall-clock and CPU seconds at each frame."""
    at: Iterator[tuple[float, float]] = iter(moments)
    return Meter(2.0, 10.0, lambda: next(at))


def test_neither_start_up_nor_warm_up_counts() -> None:
    counting = meter((100.0, 50.0), (101.0, 51.0), (102.0, 52.0), (107.0, 55.0), (112.0, 60.0))
    assert [counting.add(4) for _ in range(5)] == [True, True, True, True, False]
    result = counting.result()
    assert (result.frames, result.wall_s, result.cpu_s) == (8, 10.0, 8.0)


def test_frames_that_end_early_count_up_to_the_last() -> None:
    counting = meter((0.0, 0.0), (2.0, 1.0), (8.0, 2.0))
    for _ in range(3):
        counting.add(1)
    assert counting.result().wall_s == 6.0


@pytest.mark.parametrize("last_s", [1.0, 6.0])
def test_frames_that_end_before_half_of_the_span_are_an_error(last_s: float) -> None:
    counting = meter((0.0, 0.0), (2.0, 1.0), (last_s, 1.0))
    for _ in range(3):
        counting.add(1)
    with pytest.raises(FatalError, match="too few to measure"):
        counting.result()


def test_frames_that_end_during_the_warm_up_are_an_error() -> None:
    counting = meter((0.0, 0.0))
    counting.add(1)
    with pytest.raises(FatalError, match="too few to measure"):
        counting.result()


def test_the_figures_are_a_frame_and_a_second() -> None:
    result = Throughput(200, 4.0, 5.0, {"batch": 8})
    assert result.frames_per_s == 50.0
    assert result.cpu_ms_a_frame == 25.0
    assert result.frames_per_cpu_s == 40.0
    assert result.figures()["batch"] == 8


def test_parse_reads_the_line_that_emit_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    throughput = Throughput(1, 2.0, 3.0, {"note": "x"})
    contender.emit(throughput)
    line = capsys.readouterr().out
    assert contender.parse(f"a library's own line\n{line}") == throughput


def test_output_without_a_result_is_none() -> None:
    assert contender.parse("") is None


def test_a_failed_contender_is_reported_with_its_last_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/sh")  # which knows no -m
    with pytest.raises(FatalError, match=r"bench\.peers\.bare_loop loop: exit"):
        contender.run("peers.bare_loop", "loop", span_s=1.0)
