"""The choice between measured candidates."""

from typing import Any

import pytest

from workers.runtimes.tuned import Candidate
from workers.tuning.choosing import LEAST_BOXES, choose


def candidate(
    precision: Any, cpu_ms: float, agreement: float = 1.0, runtime: Any = "openvino", **more: Any
) -> Candidate:
    fields = {"wall_ms": cpu_ms, "boxes": 200} | more
    return Candidate(runtime=runtime, precision=precision, cpu_ms=cpu_ms, agreement=agreement, **fields)


def chosen(*candidates: Candidate, on_cpu: bool = True) -> str:
    choice = choose(candidates, 0.99, on_cpu=on_cpu)
    return "" if choice.index is None else candidates[choice.index].name


def test_the_fastest_that_agrees_is_taken() -> None:
    assert chosen(candidate("fp32", 17.5), candidate("int8", 11.4), candidate("fp32", 16.7, runtime="onnx")) == (
        "openvino int8"
    )


def test_a_faster_one_that_disagrees_gives_way_to_the_next_and_the_reason_says_so() -> None:
    measured = [
        candidate("fp32", 17.5),
        candidate("int8", 11.4, 0.926, boxes=407),
        candidate("fp32", 16.7, runtime="onnx"),
    ]
    choice = choose(measured, 0.99, on_cpu=True)
    assert choice.index == 2
    assert choice.reason.startswith("onnx fp32: 16.7 ms of CPU a frame; 1.000 of 200 confident detections agree; ")
    assert "openvino int8 takes 11.4, but 0.926 of 407 confident detections agree, 0.99 are needed" in choice.reason
    assert choice.reason.endswith("next best is openvino fp32 with 17.5")


@pytest.mark.parametrize(("boxes", "served"), [(LEAST_BOXES - 1, "openvino fp32"), (LEAST_BOXES, "openvino int8")])
def test_int8_is_not_trusted_on_a_few_detections(boxes: int, served: str) -> None:
    assert chosen(candidate("fp32", 17.5, boxes=boxes), candidate("int8", 11.4, boxes=boxes)) == served


def test_int8_that_is_hardly_faster_is_not_worth_it() -> None:
    assert chosen(candidate("bf16", 5.3), candidate("int8", 5.2)) == "openvino bf16"


def test_on_a_gpu_the_time_counts_and_not_the_cpus() -> None:
    torch = candidate("fp16", 1.0, runtime="torch", wall_ms=4.0)
    assert chosen(torch, candidate("fp16", 2.0, runtime="tensorrt", wall_ms=1.5), on_cpu=False) == "tensorrt fp16"


def test_what_was_left_out_or_not_timed_is_never_taken() -> None:
    hung = Candidate(runtime="onnx", precision="int8", left_out="no time was left for it")
    untimed = Candidate(runtime="openvino", precision="int8", agreement=1.0, boxes=200)
    assert chosen(hung, untimed, candidate("fp32", 17.5)) == "openvino fp32"
    choice = choose([hung], 0.99, on_cpu=True)
    assert choice.index is None
    assert choice.reason == "no candidate can serve; onnx int8: no time was left for it"
    assert choose([], 0.99, on_cpu=True).reason == "nothing was measured"


def test_bf16_that_a_runtime_serves_by_itself_is_not_held_to_int8s_measure() -> None:
    assert chosen(candidate("fp32", 49.5), candidate("bf16", 28.4, 0.987), candidate("int8", 22.9, 0.987)) == (
        "openvino bf16"
    )
    assert chosen(candidate("fp32", 49.5), candidate("bf16", 28.4, 0.94)) == "openvino fp32"
