"""Chooses how a training on a CPU computes: times a step of each way on the processor that is there.

Processors differ by more than a factor of ten here. A step of 8 pictures of YOLO26n at 320 pixels in bf16 took 0.32 s
on one with a matrix unit for bf16 and 4.68 s on one with AVX2 only, where fp32 took 0.46 s.
"""

import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch

TURNS = 3
"""Timed steps of each way, in turns, so that other load affects all alike. One before them does not count."""


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """One way to compute a step."""

    bf16: bool
    channels_last: bool

    def __str__(self) -> str:
        return f"{'bf16' if self.bf16 else 'fp32'}{' with channels_last' if self.channels_last else ''}"


FP32 = Arithmetic(bf16=False, channels_last=False)
MOST_S = 20.0
"""No turn begins later than that after the first one: large models and busy machines take minutes for four."""
StepTimer = Callable[[Arithmetic], float]
"""Returns the seconds of a step."""


def ways() -> tuple[Arithmetic, ...]:
    """The ways that this processor can compute. Where it lacks bf16, torch imitates it, many times slower."""
    kinds = (False, True) if torch.ops.mkldnn._is_mkldnn_bf16_supported() else (False,)
    return tuple(Arithmetic(bf16, channels_last) for bf16 in kinds for channels_last in (False, True))


def fastest(
    step_s: StepTimer, clock: Callable[[], float] = time.monotonic
) -> tuple[Arithmetic, dict[Arithmetic, float]]:
    """The way with the shortest step, and the shortest of each. Blocks for some steps of the training."""
    since_s = clock()
    turns: list[dict[Arithmetic, float]] = []
    while len(turns) <= TURNS and (not turns or clock() - since_s < MOST_S):
        turns.append({way: step_s(way) for way in ways()})
    counted = turns[1:] or turns
    seconds = {way: min(turn[way] for turn in counted) for way in turns[0]}
    return min(seconds, key=lambda way: seconds[way]), seconds


def step_timer(model: Any, batch: int, imgsz: int, clock: Callable[[], float] = time.perf_counter) -> StepTimer:
    """Times forward and backward of `batch` random pictures on a copy of `model`, which stays as it is."""
    pictures = torch.rand(batch, 3, imgsz, imgsz)

    def step_s(way: Arithmetic) -> float:
        copy = deepcopy(model).train()
        if way.channels_last:
            copy = copy.to(memory_format=torch.channels_last)
        since = clock()
        with torch.autocast("cpu", torch.bfloat16, enabled=way.bf16):
            outputs = list(_tensors(copy(pictures)))
        sum(output.float().mean() for output in outputs).backward()  # type: ignore[union-attr] # never empty
        return clock() - since

    return step_s


def _tensors(output: Any) -> Iterator[torch.Tensor]:
    """All tensors of floats in a model's output, which nests lists and mappings."""
    if isinstance(output, torch.Tensor):
        if output.is_floating_point() and output.requires_grad:
            yield output
    elif isinstance(output, dict):
        for value in output.values():
            yield from _tensors(value)
    elif isinstance(output, (list, tuple)):
        for value in output:
            yield from _tensors(value)
