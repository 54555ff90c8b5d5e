"""In which order work stands on a GPU, seen in what torch is asked for: no GPU is needed."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from andon.errors import FatalError  # noqa: E402 - after torch, as below
from workers.runtimes.cuda_stream import OwnStream  # noqa: E402 - it loads torch
from workers.runtimes.memory import card_works, free_share  # noqa: E402 - as above
from workers.runtimes.pytorch import card_of  # noqa: E402 - as above

GPU = torch.device("cuda:1")


class RecordingStream:
    """A CUDA stream, and what torch.cuda is asked for, in order."""

    cuda_stream = 77

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        for name, answer in (("Stream", self), ("default_stream", "the default one"), ("synchronize", None)):
            monkeypatch.setattr(torch.cuda, name, self._called(name, answer))
        monkeypatch.setattr(torch.cuda, "device", self._called("device", nullcontext()))
        monkeypatch.setattr(torch.cuda, "stream", self._entered)

    def wait_stream(self, other: str) -> None:
        self.calls.append(f"wait for {other}")

    def synchronize(self) -> None:
        self.calls.append("wait for its work")

    def _called(self, name: str, answer: object) -> Any:
        def called(place: object) -> object:
            self.calls.append(f"{name} {place}")
            return answer

        return called

    def _entered(self, stream: object) -> AbstractContextManager[None]:
        assert stream is self
        self.calls.append("enter")
        return nullcontext()


def test_the_model_waits_for_the_pictures_and_their_decoders_never_for_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = RecordingStream(monkeypatch)
    own = OwnStream(GPU)
    assert stream.calls == ["synchronize cuda:1", "Stream cuda:1"], "the weights have arrived"
    stream.calls.clear()
    with own.current():
        assert stream.calls == ["default_stream cuda:1", "wait for the default one", "device cuda:1", "enter"]
    stream.calls.clear()
    own.finish()
    assert (own.handle, stream.calls) == (77, ["wait for its work"])


def test_on_a_cpu_nothing_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    own = OwnStream(torch.device("cpu"))
    with own.current():
        assert torch.ones(3).sum() == 3
    own.finish()
    assert own.handle == 0


def test_the_free_part_of_a_gpus_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda number: (2_000 * number, 16_000))
    assert free_share(2) == 0.25


def test_what_cuda_reports_ends_the_process_in_one_line() -> None:
    with pytest.raises(FatalError) as caught, card_works("GPU 1"):
        raise torch.AcceleratorError("CUDA error: unspecified launch failure\nCompile with TORCH_USE_CUDA_DSA")
    assert str(caught.value).startswith("GPU 1 fails: CUDA error: unspecified launch failure: look for Xid")
    with pytest.raises(ValueError, match="a bug"), card_works("GPU 1"):
        raise ValueError("a bug")


@pytest.mark.parametrize(("device", "card"), [("cpu", None), ("cuda", "0"), ("cuda:3", "3"), ("mps", None)])
def test_the_number_of_a_card(device: str, card: str | None) -> None:
    assert card_of(torch.device(device)) == card
