"""torchvision beside a CPU-only torch: what stands in for it, and when."""

import importlib
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from workers.runtimes import torchvision_shim


class FakeLibrary:
    """Records the operators that are defined in it."""

    defined: list[str]

    def __init__(self, namespace: str, kind: str) -> None:
        assert (namespace, kind) == ("torchvision", "DEF")
        self.defined = []

    def define(self, schema: str) -> None:
        self.defined.append(schema)


def answer_imports(monkeypatch: pytest.MonkeyPatch, *answers: object) -> None:
    """Let the shim's imports of torchvision end with these, one after the other."""
    left = list(answers)

    def import_module(name: str) -> Any:
        assert name == "torchvision"
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(torchvision_shim, "importlib", SimpleNamespace(import_module=import_module))
    monkeypatch.setattr(torchvision_shim, "_forget_half_imported", lambda: None)
    monkeypatch.setattr(torch.library, "Library", FakeLibrary)


def fake_torchvision() -> Any:
    module: Any = ModuleType("torchvision")
    module.ops = SimpleNamespace(nms="the real one")
    return module


def test_a_working_torchvision_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    module = fake_torchvision()
    answer_imports(monkeypatch, module)
    assert torchvision_shim.ensure_torchvision() is False
    assert module.ops.nms == "the real one"


def test_missing_operators_are_defined_and_nms_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    module = fake_torchvision()
    answer_imports(monkeypatch, RuntimeError("operator torchvision::nms does not exist"), module)
    assert torchvision_shim.ensure_torchvision() is True
    assert module.ops.nms is torchvision_shim.nms
    assert [schema.split("(")[0] for schema in module.andon_operators.defined] == ["nms", "qnms"]


def test_a_second_call_still_says_that_the_substitute_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    module = fake_torchvision()
    answer_imports(monkeypatch, RuntimeError("operator torchvision::nms does not exist"), module, module)
    assert [torchvision_shim.ensure_torchvision() for _ in range(2)] == [True, True]


@pytest.mark.parametrize("failure", [RuntimeError("out of memory"), ImportError("No module named torchvision")])
def test_any_other_failure_is_raised_unchanged(monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    answer_imports(monkeypatch, failure)
    with pytest.raises(type(failure), match=str(failure)):
        torchvision_shim.ensure_torchvision()


def test_on_this_machine_torchvision_can_be_imported_and_suppresses_overlaps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {"OFFLINE": "1", "AUTOINSTALL": "false", "CONFIG_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(f"YOLO_{name}", value)  # ultralytics is imported for its NMS
    torchvision_shim.ensure_torchvision()
    ops: Any = importlib.import_module("torchvision.ops")
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 11, 11], [50, 50, 60, 60]])
    kept = ops.nms(boxes, torch.tensor([0.5, 0.9, 0.7]), 0.5)
    assert kept.tolist() == [1, 2]
