"""On a real GPU a worker decoded in software, because its model had made the context before FFmpeg."""

import weakref
from typing import Any

import pytest

from workers.decoding.context import made_by_ffmpeg


class Opened:
    """A decoder, and so a context."""


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, "weakref.ref[Opened]"]]:
    """The cards on which decoders were opened."""
    found: list[tuple[int, weakref.ref[Opened]]] = []

    class Codecs:
        @staticmethod
        def create(name: str, mode: str, hwaccel: Any) -> Opened:
            assert (name, mode, hwaccel.options) == ("h264", "r", {"primary_ctx": "1"}), "the one that torch uses"
            decoder = Opened()
            found.append((hwaccel.device_id, weakref.ref(decoder)))
            return decoder

    monkeypatch.setattr("av.CodecContext", Codecs)
    return found


@pytest.mark.parametrize(("device", "number"), [("auto", 0), ("cuda", 0), ("cuda:3", 3)])
def test_the_context_is_there_until_the_model_has_taken_it_over(
    device: str, number: int, opened: list[tuple[int, "weakref.ref[Opened]"]]
) -> None:
    with made_by_ffmpeg(device):
        ((card, decoder),) = opened
        assert card == number
        assert decoder() is not None
    assert decoder() is None


@pytest.mark.parametrize("device", ["cpu", "mps", "npu", "cuda:first"])
def test_another_device_gets_no_context(device: str, opened: list[tuple[int, "weakref.ref[Opened]"]]) -> None:
    with made_by_ffmpeg(device):
        assert opened == []


def test_a_failing_model_takes_no_context_over(opened: list[tuple[int, "weakref.ref[Opened]"]]) -> None:
    with pytest.raises(ValueError, match="no model"), made_by_ffmpeg("auto"):
        raise ValueError("no model")
    assert opened[0][1]() is None


def test_a_machine_without_a_gpu_loads_its_model_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with made_by_ffmpeg("auto"):
        pass
