"""What a contender counts, and what is heard of it."""

import sys
from collections.abc import Iterator

import pytest

from andon.errors import FatalError
from bench.harness import contender
from bench.harness.contender import Meter, Result


def meter(*moments: tuple[float, float]) -> Meter:
    """Warm after 2 s, enough after 10 s more; `moments` are what the clock and the CPU say at each frame."""
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
    with pytest.raises(FatalError, match="tells nothing"):
        counting.result()


def test_frames_that_end_during_the_warm_up_are_an_error() -> None:
    counting = meter((0.0, 0.0))
    counting.add(1)
    with pytest.raises(FatalError, match="tells nothing"):
        counting.result()


def test_a_result_speaks_of_frames() -> None:
    result = Result(200, 4.0, 5.0, {"batch": 8})
    assert result.frames_per_s == 50.0
    assert result.cpu_ms_a_frame == 25.0
    assert result.frames_per_cpu_s == 40.0
    assert result.figures()["batch"] == 8


def test_what_is_told_can_be_heard(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    told = Result(1, 2.0, 3.0, {"note": "x"})
    contender.tell(told)
    line = capsys.readouterr().out
    assert contender.heard(f"a library's own words\n{line}") == told


def test_nothing_told_is_nothing_heard() -> None:
    assert contender.heard("") is None


def test_a_contender_that_fails_is_told_with_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/sh")  # which knows no -m
    with pytest.raises(FatalError, match=r"bench\.peers\.bare_loop loop: exit"):
        contender.run("peers.bare_loop", "loop", span_s=1.0)
