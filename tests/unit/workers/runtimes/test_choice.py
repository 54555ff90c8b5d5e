"""A mistake in a pool's model is reported in one line. No test here loads a model."""

from pathlib import Path
from typing import Any

import pytest

from andon.errors import ConfigError
from andon.settings import PoolSettings
from tests.detectors import FakeDetector
from workers.runtimes import installed, opening
from workers.runtimes.cache import LIBRARIES
from workers.runtimes.choice import load
from workers.runtimes.openvino_options import CompileOptions, properties, require_capable


def complaint(**model: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load(PoolSettings.model_validate({"model": model}), "heavy")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("pools.heavy.model.")
    return message


@pytest.fixture
def pickle(tmp_path: Path) -> Path:
    path = tmp_path / "model.pt"
    path.write_bytes(b"whatever runs when it is loaded")
    return path


@pytest.fixture
def onnx(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no model at all")
    return path


def exported(folder: Path, card: str) -> Path:
    folder.mkdir()
    (folder / "model.xml").write_text("<net/>")
    (folder / "model.bin").write_bytes(b"")
    (folder / "metadata.yaml").write_text(card)
    return folder


def test_a_model_without_weights_is_refused() -> None:
    assert "not set" in complaint()


def test_missing_weights_are_refused(tmp_path: Path) -> None:
    assert "no such file" in complaint(weights=str(tmp_path / "gone.pt"))


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"")
    assert "expected a YOLO .pt" in complaint(weights=str(path))


def test_a_wrong_digest_is_refused_before_the_file_is_loaded(pickle: Path) -> None:
    message = complaint(weights=str(pickle), digest="a" * 64, runtime="torch")
    assert "sha256 is " in message
    assert f"pools.heavy.model.digest says {'a' * 64}" in message


def test_a_folder_that_is_no_export_is_refused(tmp_path: Path) -> None:
    assert "not an OpenVINO export" in complaint(weights=str(tmp_path))


@pytest.mark.parametrize("card", ["", "names: 3", "task: detect", ": : :", "names: {0: a}\ntask: detect\nimgsz: [x]"])
def test_an_export_without_a_description_is_refused(tmp_path: Path, card: str) -> None:
    assert "not what ultralytics writes" in complaint(weights=str(exported(tmp_path / "m", card)))


def test_an_export_of_another_task_is_refused(tmp_path: Path) -> None:
    card = "names: {0: a}\ntask: classify\nimgsz: [320, 320]"
    assert "a classify model; the tasks that are served" in complaint(weights=str(exported(tmp_path / "m", card)))


def test_an_export_that_openvino_cannot_read_is_refused(tmp_path: Path) -> None:
    card = "names: {0: a}\ntask: detect\nimgsz: [320, 320]"
    assert "OpenVINO can't serve it on CPU" in complaint(weights=str(exported(tmp_path / "m", card)))


def test_a_missing_device_is_refused(tmp_path: Path) -> None:
    card = "names: {0: a}\ntask: detect\nimgsz: [320, 320]"
    assert "on NPU" in complaint(weights=str(exported(tmp_path / "m", card)), device="npu")


def test_torch_cannot_serve_an_openvino_folder(tmp_path: Path) -> None:
    card = "names: {0: a}\ntask: detect\nimgsz: [320, 320]"
    message = complaint(weights=str(exported(tmp_path / "m", card)), runtime="torch")
    assert message.startswith("pools.heavy.model.runtime: torch")


@pytest.mark.parametrize("runtime", ["torch", "openvino"])
def test_only_onnx_serves_an_onnx_file(onnx: Path, runtime: str) -> None:
    message = complaint(weights=str(onnx), runtime=runtime)
    assert message == f"pools.heavy.model.runtime: {runtime} can't serve {onnx}: it was exported for onnx"


@pytest.mark.parametrize("runtime", ["auto", "onnx"])
def test_a_file_that_is_no_onnx_model_is_refused(onnx: Path, runtime: str) -> None:
    assert f"{onnx}: not a model that ONNX Runtime opens on cpu: " in complaint(weights=str(onnx), runtime=runtime)


@pytest.mark.parametrize("device", ["npu", "cuda:first"])
def test_a_device_that_onnx_runtime_does_not_know_is_refused(onnx: Path, device: str) -> None:
    assert f"can't serve it on {device}: only on auto, cpu and cuda:N" in complaint(weights=str(onnx), device=device)


def test_cuda_is_refused_without_the_onnx_runtime_for_it(onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    assert "on cuda:0: pip install onnxruntime-gpu" in complaint(weights=str(onnx), device="cuda:0")


def test_a_missing_onnx_runtime_is_reported(onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "find_spec", lambda name: None)
    assert "the onnx runtime is not installed: pip install 'andon[onnx]'" in complaint(weights=str(onnx))


def test_a_missing_package_for_the_export_is_reported(
    pickle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LIBRARIES, "onnx", ("no-such-exporter",))
    message = complaint(weights=str(pickle), runtime="onnx", cache=str(tmp_path / "cache"))
    assert "exporting it takes no-such-exporter, which is not installed: pip install 'andon[workers,onnx]'" in message


@pytest.mark.parametrize(
    ("there", "served_by"),
    [({"openvino", "onnxruntime"}, "openvino"), ({"onnxruntime"}, "onnx"), (set(), "torch")],
)
def test_a_pt_on_a_cpu_is_served_by_the_fastest_installed_runtime(
    pickle: Path, monkeypatch: pytest.MonkeyPatch, there: set[str], served_by: str
) -> None:
    monkeypatch.setattr(installed, "find_spec", lambda name: name if name in there else None)
    assert chosen(pickle, "cpu", monkeypatch) == served_by


def test_a_pt_on_a_gpu_is_served_by_torch(pickle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(pickle, "cuda:0", monkeypatch) == "torch"


def chosen(weights: Path, device: str, monkeypatch: pytest.MonkeyPatch) -> str:
    called: list[str] = []

    def opened(runtime: str) -> FakeDetector:
        called.append(runtime)
        return FakeDetector()

    for runtime in ("torch", "openvino", "onnx"):
        monkeypatch.setattr(opening, f"_{runtime}", lambda *_, runtime=runtime: opened(runtime))
    load(PoolSettings.model_validate({"model": {"weights": str(weights), "device": device}}), "heavy")
    (runtime,) = called
    return runtime


@pytest.mark.parametrize(("runtime", "precision"), [("torch", "int8"), ("onnx", "bf16"), ("tensorrt", "bf16")])
def test_a_precision_that_the_runtime_does_not_serve_is_refused(pickle: Path, runtime: str, precision: str) -> None:
    message = complaint(weights=str(pickle), runtime=runtime, precision=precision)
    if precision == "int8":
        assert "no INT8 form of " in message
        assert "`andon model tune --show` says" in message
    else:
        assert f"precision: {precision}: the {runtime} runtime serves fp32, fp16, int8" in message


def test_int8_of_an_export_that_does_not_say_what_it_is_made_in_is_refused(onnx: Path) -> None:
    message = complaint(weights=str(onnx), precision="int8")
    assert message == f"pools.heavy.model.precision: int8: {onnx} was exported in another one"


def test_openvino_refuses_a_precision_that_the_processor_would_imitate() -> None:
    class Core:
        def get_property(self, device: str, name: str) -> list[str]:
            assert (device, name) == ("CPU", "OPTIMIZATION_CAPABILITIES")
            return ["FP32", "INT8", "BIN"]

    require_capable(Core(), "CPU", "fp32", "model")
    require_capable(Core(), "CPU", "int8", "model")
    with pytest.raises(ConfigError, match="model: CPU does not compute in bf16, but in fp32"):
        require_capable(Core(), "CPU", "bf16", "model")


def test_the_options_of_openvino_are_those_of_the_setup() -> None:
    assert properties(CompileOptions(), "GPU") == {"PERFORMANCE_HINT": "THROUGHPUT"}
    options = properties(CompileOptions(precision="bf16", streams=3), "CPU")
    assert options.pop("INFERENCE_NUM_THREADS") >= 1
    assert options == {"NUM_STREAMS": 3, "INFERENCE_PRECISION_HINT": "bf16"}
