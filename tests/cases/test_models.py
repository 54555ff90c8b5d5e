"""Weights as people bring them: each is served by its own properties, or refused at the start in one line."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from andon.errors import ConfigError
from andon.settings import PoolSettings
from tests.cases.case import Case, rows
from tests.tasks import build
from workers.detector import BuiltIn, Detector
from workers.model.arithmetic import fastest
from workers.runtimes import onnx as onnx_runtime
from workers.runtimes.built_in import of_onnx, of_openvino
from workers.runtimes.choice import load
from workers.runtimes.openvino import CHUNK, import_openvino
from workers.runtimes.ultralytics_model import import_ultralytics

pytestmark = pytest.mark.filterwarnings("ignore")  # ultralytics' exporter
SHAPES = ((480, 640), (1080, 1920), (767, 1366), (640, 480), (64, 4096), (1, 1))


def opened(path: Path, room: Path, **model: Any) -> Detector:
    given = {"weights": str(path), "cache": str(room), "device": "cpu", **model}
    return load(PoolSettings.model_validate({"model": given, "batch": {"size": 2}}), "default")


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def plain(room: Path) -> Path:
    """Weights of stride 64, three classes, three channels."""
    return build("detect-p6", room)


@pytest.fixture(scope="module")
def exported(room: Path, plain: Path) -> Path:
    """The same as ONNX, for any shape, without suppression."""
    copy = room / "copy.pt"
    copy.write_bytes(plain.read_bytes())
    return Path(import_ultralytics(room).YOLO(str(copy)).export(format="onnx", dynamic=True, imgsz=160, simplify=False))


# ---- weights


def changed(change: Callable[[Any], None]) -> Callable[[Path, Path], Path]:
    def write(plain: Path, folder: Path) -> Path:
        checkpoint = torch.load(plain, map_location="cpu", weights_only=False)
        change(checkpoint["model"])
        path = folder / "changed.pt"
        torch.save(checkpoint, path)
        return path

    return write


def one_channel(model: Any) -> None:
    first = next(module for module in model.modules() if isinstance(module, torch.nn.Conv2d))
    first.weight = torch.nn.Parameter(first.weight[:, :1])
    first.in_channels = 1


def unnamed(model: Any) -> None:
    model.names = {0: "scratch"}


def diverged(model: Any) -> None:
    for branch in model.model[-1].cv3:
        branch[-1].bias.data.fill_(float("nan"))


@dataclass(frozen=True)
class Weights:
    write: Callable[[Path, Path], Path]
    complaint: str


WEIGHTS = (
    Case(
        "Weights of one channel are refused",
        "ultralytics/ultralytics#20561",
        Weights(changed(one_channel), "a model of 1 channels; one of 3 is needed"),
    ),
    Case(
        "Weights with fewer names than classes are refused",
        "seen by hand",
        Weights(changed(unnamed), "a model of 3 classes that names 1"),
    ),
    Case(
        "Weights of a training that diverged are refused, and do not see a line without defects",
        "ultralytics/ultralytics#16857",
        Weights(changed(diverged), "the torch runtime can't serve it: the model's output is not finite"),
    ),
)


@rows(WEIGHTS)
def test_weights_that_cannot_be_served(given: Weights, plain: Path, room: Path, tmp_path: Path) -> None:
    path = given.write(plain, tmp_path)
    assert given.complaint in complaint(path, room, runtime="torch")


def complaint(path: Path, room: Path, **model: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        opened(path, room, **model)
    message = str(caught.value)
    assert message.startswith("pools.default.model.")
    assert "\n" not in message
    return message


# ---- exports


def edited(change: Callable[[onnx.ModelProto], None]) -> Callable[[Path, Path], Path]:
    def write(exported: Path, folder: Path) -> Path:
        model = onnx.load(exported)
        change(model)
        path = folder / "edited.onnx"
        onnx.save(model, path)
        return path

    return write


def metadata(**texts: str | None) -> Callable[[Path, Path], Path]:
    """Other metadata. None: without that key."""

    def change(model: onnx.ModelProto) -> None:
        known = {item.key: item.value for item in model.metadata_props} | texts
        del model.metadata_props[:]
        helper.set_model_props(model, {key: text for key, text in known.items() if text is not None})

    return edited(change)


def channels_last(model: onnx.ModelProto) -> None:
    model.graph.node.insert(0, helper.make_node("Transpose", ["pixels"], ["images"], perm=[0, 3, 1, 2]))
    given = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", "height", "width", 3])
    model.graph.input[0].CopyFrom(given)


def of_bytes(model: onnx.ModelProto) -> None:
    model.graph.node.insert(0, helper.make_node("Cast", ["pixels"], ["images"], to=TensorProto.FLOAT))
    given = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["batch", 3, "height", "width"])
    model.graph.input[0].CopyFrom(given)


def transposed(model: onnx.ModelProto) -> None:
    """An output as other exporters write it: anchors before columns."""
    end = model.graph.output[0]
    model.graph.node.append(helper.make_node("Transpose", [end.name], ["turned"], perm=[0, 2, 1]))
    end.CopyFrom(helper.make_tensor_value_info("turned", TensorProto.FLOAT, ["batch", "anchors", 7]))


EXPORTS = (
    Case(
        "An export that takes channels last is refused",
        "seen by hand",
        Weights(edited(channels_last), "a model with the input (batch, height, width, 3)"),
    ),
    Case(
        "An export that takes bytes is refused",
        "seen by hand",
        Weights(edited(of_bytes), "a model with the input tensor(uint8)"),
    ),
    Case(
        "An export with an output of another form is refused",
        "seen by hand",
        Weights(edited(transposed), "the onnx runtime can't serve it: an output of"),
    ),
    Case(
        "An export that names fewer classes than it has is refused",
        "seen by hand",
        Weights(metadata(names="{0: 'scratch'}"), "the onnx runtime can't serve it: an output of"),
    ),
    Case(
        "An export without names is refused",
        "seen by hand",
        Weights(metadata(names=None), "not an ONNX model that ultralytics exported (KeyError)"),
    ),
    Case(
        "An export of one channel is refused",
        "ultralytics/ultralytics#20561",
        Weights(metadata(channels="1"), "a model of 1 channels; one of 3 is needed"),
    ),
    Case(
        "An export whose stride is no number is refused",
        "seen by hand",
        Weights(metadata(stride="wide"), "a model of stride 'wide'"),
    ),
    Case(
        "An export that is said to have a finer grid than it has is refused",
        "ultralytics/yolov5#13150",
        Weights(metadata(stride="32"), "the onnx runtime can't serve it: "),
    ),
)


@rows(EXPORTS)
def test_an_export_that_cannot_be_served(given: Weights, exported: Path, room: Path, tmp_path: Path) -> None:
    assert given.complaint in complaint(given.write(exported, tmp_path), room)


SERVED = (
    Case("Weights of stride 64 are served in their own grid", "ultralytics/yolov5#13150", "torch"),
    Case("An ONNX export of stride 64 is served in its own grid", "ultralytics/yolov5#13150", "onnx"),
    Case("An OpenVINO export of stride 64 is served in its own grid", "ultralytics/yolov5#13150", "openvino"),
)


@rows(SERVED)
def test_a_model_of_stride_64(given: str, plain: Path, exported: Path, room: Path) -> None:
    path = {"torch": plain, "onnx": exported}.get(given) or _converted(exported, room, [-1, 3, -1, -1])
    detector = opened(path, room, runtime=given, confidence=0.05)
    assert (detector.info.head.stride, detector.info.imgsz) == (64, 192)
    pictures = [np.full((*shape, 3), 90, np.uint8) for shape in SHAPES]
    assert len(detector.detect(pictures)) == len(pictures)


def _converted(exported: Path, room: Path, shape: list[int]) -> Path:
    """As an OpenVINO folder, whose metadata says that it takes any shape."""
    folder = room / "-".join(["openvino", *map(str, shape)])
    if not folder.exists():
        openvino = import_openvino()
        model = openvino.Core().read_model(exported)
        model.reshape(shape)
        folder.mkdir()
        openvino.save_model(model, folder / "model.xml", compress_to_fp16=False)
        card = (
            "names: {0: a, 1: b, 2: c}\ntask: detect\nimgsz: [160, 160]\nstride: 64\nbatch: 1\nargs: {dynamic: true}\n"
        )
        (folder / "metadata.yaml").write_text(card)
    return folder


SHAPED = (
    Case("One fixed shape is read off the model, whatever its metadata says", "seen by hand", [2, 3, 128, 192]),
    Case("A fixed canvas takes batches of any size", "seen by hand", [-1, 3, 128, 192]),
    Case("A fixed batch takes canvases of any size", "seen by hand", [2, 3, -1, -1]),
)


@rows(SHAPED)
def test_an_openvino_export_of_a_fixed_shape(given: list[int], exported: Path, room: Path) -> None:
    detector = opened(_converted(exported, room, given), room)
    assert detector.info.canvas == ((128, 192) if given[2] > 0 else None)
    assert len(detector.detect([np.full((*shape, 3), 90, np.uint8) for shape in SHAPES])) == len(SHAPES)


def test_a_size_that_a_fixed_export_does_not_take_is_refused(exported: Path, room: Path) -> None:
    path = _converted(exported, room, [-1, 3, 128, 192])
    assert "model.imgsz: 640, but this export takes 192 x 128 pixels only" in complaint(path, room, imgsz=640)


# ---- suppression inside


def suppressing(confidence: float, iou: float = 0.45) -> Callable[[onnx.ModelProto], None]:
    """Appends what ultralytics' `nms=True` does: scores above a threshold, then NonMaxSuppression."""

    def change(model: onnx.ModelProto) -> None:
        graph, texts = model.graph, {item.key: item.value for item in model.metadata_props}
        constants = {"least": confidence, "overlap": iou}
        graph.initializer.extend(
            numpy_helper.from_array(np.array(value, np.float32), name) for name, value in constants.items()
        )
        graph.initializer.append(numpy_helper.from_array(np.array(300, np.int64), "most"))
        graph.node.extend(
            [
                helper.make_node("Greater", [graph.output[0].name, "least"], ["sure"]),
                helper.make_node("Cast", ["sure"], ["scores"], to=TensorProto.FLOAT),
                helper.make_node("NonMaxSuppression", ["boxes", "scores", "most", "overlap"], ["kept"]),
            ]
        )
        del model.metadata_props[:]
        helper.set_model_props(model, texts | {"args": "{'nms': True, 'dynamic': True}"})

    return change


def test_the_thresholds_inside_an_export_are_found(exported: Path, tmp_path: Path) -> None:
    path = edited(suppressing(0.35))(exported, tmp_path)
    assert of_onnx(path) == BuiltIn(0.35, 0.45, None)


def test_the_thresholds_inside_an_openvino_export_are_found() -> None:
    openvino = import_openvino()
    ops = openvino.opset13
    boxes = ops.parameter([1, 8, 4], np.float32)
    scores = ops.parameter([1, 1, 8], np.float32)
    sure = ops.convert(ops.greater(scores, ops.convert(ops.constant(0.35, np.float16), "f32")), "f32")
    kept = ops.non_max_suppression(
        boxes, sure, ops.constant(300), ops.constant(0.45, np.float32), ops.constant(0.0, np.float32)
    )
    found = of_openvino(openvino.Model([kept.output(0)], [boxes, scores], "suppressed"))
    assert found.confidence == pytest.approx(0.35, abs=1e-3)
    assert found.iou == pytest.approx(0.45)


def test_a_confidence_below_that_of_the_export_is_refused_with_its_own(
    exported: Path, room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = metadata(args="{'nms': True}")(exported, tmp_path)
    monkeypatch.setattr(onnx_runtime, "of_onnx", lambda _: BuiltIn(0.25, 0.7, 300))
    message = complaint(path, room, confidence=0.1)
    assert message.startswith(
        "pools.default.model.confidence: 0.1 finds nothing more than 0.25, below which this export"
    )
    assert opened(path, room, confidence=0.25).info.built_in == BuiltIn(0.25, 0.7, 300)


def test_thresholds_that_cannot_be_found_are_unknown(exported: Path, room: Path, tmp_path: Path) -> None:
    path = metadata(args="{'nms': True}")(exported, tmp_path)
    assert opened(path, room, confidence=0.01).info.built_in == BuiltIn()
    assert opened(exported, room, confidence=0.01).info.built_in is None


# ---- training


@dataclass(frozen=True)
class Processor:
    knows_bf16: bool
    bf16_s: float
    """Of a step in bf16; in fp32 it takes 0.5 s."""
    in_bf16: bool


PROCESSORS = (
    Case("A processor without bf16 trains in fp32", "seen by hand", Processor(False, 4.68, in_bf16=False)),
    Case("A processor that is faster in bf16 trains in it", "seen by hand", Processor(True, 0.3, in_bf16=True)),
    Case("A processor that is slower in bf16 trains in fp32", "seen by hand", Processor(True, 0.9, in_bf16=False)),
)


@rows(PROCESSORS)
def test_the_arithmetic_of_a_training(given: Processor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: given.knows_bf16)
    chosen, seconds = fastest(lambda way: given.bf16_s if way.bf16 else 0.5)
    assert chosen.bf16 == given.in_bf16
    assert any(way.bf16 for way in seconds) == given.knows_bf16, "what torch would imitate is not even tried"


# ---- memory


def test_shapes_past_their_bytes_are_dropped_the_oldest_first(exported: Path, room: Path) -> None:
    path = _converted(exported, room, [-1, 3, -1, -1])
    detector: Any = opened(path, room, compiled_bytes=1_000_000, imgsz=384)
    pools = detector._network._pools
    for width in range(64, 385, 64):
        detector.detect([np.zeros((384, width, 3), np.uint8)])
    assert list(pools) == [(1, 384, width) for width in range(192, 385, 64)], "the four that are kept in any case"
    assert all(pool.bytes >= path.joinpath("model.bin").stat().st_size for pool in pools.values())


def test_shapes_within_their_bytes_are_all_kept(exported: Path, room: Path) -> None:
    detector: Any = opened(_converted(exported, room, [-1, 3, -1, -1]), room, compiled_bytes=10**12, imgsz=384)
    for width in range(64, 385, 64):
        detector.detect([np.zeros((384, width, 3), np.uint8)])
    assert len(detector._network._pools) == 7, "and that of the picture that it was tried with"


# ---- cost


@pytest.mark.parametrize(("costs_s", "chosen"), [({1: 1.1, CHUNK: 1.0}, CHUNK), ({1: 1.0, CHUNK: 1.1}, 1)])
def test_the_cheaper_size_of_a_request_is_found_with_every_stream_busy(
    costs_s: dict[int, float], chosen: int, exported: Path, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector: Any = opened(_converted(exported, room, [-1, 3, -1, -1]), room, imgsz=384)
    network, tried = detector._network, set()

    def cost_s(canvases: Any, size: int) -> float:
        tried.add((len(canvases), size))
        return costs_s[size]

    monkeypatch.setattr(network, "_cost_s", cost_s)
    monkeypatch.setattr("workers.runtimes.openvino.SLOW_S", float("inf"))  # no busy machine is a slow model
    network.forward(np.zeros((CHUNK, 64, 64, 3), np.uint8))
    streams = network._pools[(1, 64, 64)].streams
    assert tried == {(CHUNK * streams, 1), (CHUNK * streams, CHUNK)}
    assert network._chunk_size == chosen
