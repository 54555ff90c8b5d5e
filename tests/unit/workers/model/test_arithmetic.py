"""A training computes in the way that is fastest on the processor that is there."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from workers.model import arithmetic, train
from workers.model.arithmetic import FP32, Arithmetic, fastest, step_timer, ways

BF16 = Arithmetic(bf16=True, channels_last=True)


@pytest.fixture(params=[True, False], ids=["with bf16", "without bf16"])
def knows_bf16(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    known = bool(request.param)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: known)
    return known


def test_bf16_is_tried_only_where_the_processor_computes_it(knows_bf16: bool) -> None:
    assert any(way.bf16 for way in ways()) == knows_bf16
    assert FP32 in ways()


def test_the_shortest_step_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arithmetic, "ways", lambda: (FP32, BF16))
    assert fastest(lambda way: 4.68 if way.bf16 else 0.46)[0] == FP32
    assert fastest(lambda way: 0.32 if way.bf16 else 0.55)[0] == BF16


def test_a_step_that_other_load_slows_does_not_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arithmetic, "ways", lambda: (FP32, BF16))
    steps = {FP32: iter([9.0, 0.5, 0.4, 0.5]), BF16: iter([9.0, 0.3, 7.0, 0.9])}
    assert fastest(lambda way: next(steps[way])) == (BF16, {FP32: 0.4, BF16: 0.3})


def test_slow_steps_are_timed_in_one_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arithmetic, "ways", lambda: (FP32, BF16))
    steps: list[Arithmetic] = []
    times = iter([0.0, arithmetic.MOST_S])

    def step_s(way: Arithmetic) -> float:
        steps.append(way)
        return 9.0 if way.bf16 else 12.0

    chosen, _ = fastest(step_s, lambda: next(times))
    assert (chosen, steps) == (BF16, [FP32, BF16])


class Tiny(torch.nn.Module):
    """Answers as a YOLO head does in training: nested, with something in it that is no number."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))

    def forward(self, pictures: torch.Tensor) -> dict[str, Any]:
        features = self.layer(pictures)
        return {"boxes": features, "feats": [features, (features,)], "count": 3}


def ticking() -> Callable[[], float]:
    times: Iterator[int] = iter(range(1000))
    return lambda: float(next(times))


@pytest.mark.parametrize("way", [FP32, Arithmetic(bf16=False, channels_last=True), BF16])
def test_timing_leaves_the_model_as_it_is(way: Arithmetic) -> None:
    model = Tiny()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert step_timer(model, 2, 32, ticking())(way) == 1.0
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("slow", [True, False])
def test_a_training_computes_in_the_fastest_way_and_says_so(monkeypatch: pytest.MonkeyPatch, slow: bool) -> None:
    monkeypatch.setattr(arithmetic, "ways", lambda: (FP32, BF16))
    monkeypatch.setattr(train, "step_timer", lambda *_: lambda way: 4.68 if way.bf16 == slow else 0.46)
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    trainer = SimpleNamespace(model=Tiny(), amp=None, batch_size=8, args=SimpleNamespace(imgsz=320))
    lines: list[str] = []
    train.quicken(trainer, 2, lines.append)
    kept = trainer.model.layer[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert (trainer.amp, kept) == (not slow, not slow)
    assert lines == [
        "computing in fp32, 0.46 s a step of 8 (bf16 with channels_last 4.68 s)"
        if slow
        else "computing in bf16 with channels_last, 0.46 s a step of 8 (fp32 4.68 s)"
    ]


def test_a_gpu_that_imitates_bf16_does_not_train_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def supported(including_emulation: bool = True) -> bool:
        return including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    settings = train.Training(data=Path("data.yaml"), out=Path("line"))
    assert train._arguments(settings, Path("data.yaml"), "0")["amp"] is False
