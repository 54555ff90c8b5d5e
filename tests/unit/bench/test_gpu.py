"""The bench of a GPU, without one: it says so in a line, keeps its time, and outlives a step that fails."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from click.testing import CliRunner

from bench import gpu, gpu_steps
from bench.gpu import Step, run_steps
from bench.gpu_load import summed_up
from tests.cards import NEAR, card_in_memory
from tests.video_units import PLAIN_264, stream


def test_without_a_gpu_it_says_so_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "gpus", list)
    done = CliRunner().invoke(gpu.main, [])
    assert done.exit_code == 0
    (line,) = done.output.splitlines()
    assert json.loads(line) == {"gpu": None, "skipped": "no NVIDIA GPU: nvidia-smi shows none"}


def test_a_step_that_fails_or_has_no_time_left_is_named_and_the_others_count() -> None:
    clock = iter(range(0, 1000, 40))

    def fails() -> Mapping[str, Any]:
        raise PermissionError("no decoder")

    steps = [Step("one", lambda: {"rate": 3}, 10), Step("two", fails, 10), Step("three", lambda: {"rate": 5}, 1e6)]
    done = run_steps(steps, 300.0, lambda _: None, lambda: float(next(clock)))
    assert done["one"] == {"rate": 3, "seconds": 40.0}
    assert done["two"] == {"failed": "PermissionError: no decoder"}
    assert done["three"]["skipped"].endswith("it needs 1000000")


def test_the_load_is_summed_up_without_lines_that_are_cut_off() -> None:
    assert summed_up(["10, 50, 1000", "30, 70, 1200", "[N/A], 3, 4", "30, 7"]) == {
        "decoder_percent": {"mean": 20.0, "most": 30.0},
        "sm_percent": {"mean": 60.0, "most": 70.0},
        "memory_mb": {"mean": 1100.0, "most": 1200.0},
    }
    assert summed_up([]) == {}


@pytest.mark.parametrize(("most", "largest"), [(0, 0), (4, 4), (20, 16), (1000, 64)])
def test_the_streams_that_hold_are_counted_up_to_the_first_that_do_not(most: int, largest: int) -> None:
    assert gpu_steps.largest_that_holds(gpu_steps.STREAMS, lambda count: count <= most) == largest


def test_a_failure_on_a_measuring_thread_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_steps, "SPAN_S", 0.0)

    def broken() -> Iterator[int]:
        yield 1
        raise RuntimeError("the driver has gone")

    with pytest.raises(RuntimeError, match="the driver has gone"):
        gpu_steps.rate_per_s(2, broken)


def test_pictures_made_as_on_a_card_are_compared_with_those_of_the_host() -> None:
    given = stream(PLAIN_264).units[:5]
    found = gpu_steps.compared(card_in_memory().place, given)
    assert found["frames"] == found["on_card"] == 5
    assert found["largest_difference"] <= NEAR
    assert gpu_steps.compared(card_in_memory(spoil=9).place, given)["largest_difference"] > NEAR
