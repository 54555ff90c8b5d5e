"""INT8: an exported model's weights and activations in 8 bits, with scales from pictures of the line.

The head stays in floats: one scale for boxes (hundreds of pixels) and scores (0 to 1) would round every score to 0.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andon.errors import ConfigError
from workers.detector import LetterboxDetector, ModelInfo, Picture
from workers.runtimes.openvino import import_openvino
from workers.task import Head


@dataclass(frozen=True, slots=True)
class Care:
    """What stays in floats besides the head, for an INT8 model that agrees with its source more closely.

    Measured with the demo's model on 54 of its frames: without care 0.957 of the confident detections agree, with the
    modules that the head reads in floats 0.996, with the first module, too, all. The time differs by 2 to 8 %.
    """

    first_modules: int = 0
    """The first modules see the raw pixels, whose errors all others amplify."""


ACTIVATIONS = ("Swish", "Relu", "PRelu", "Clamp", "HSwish", "Gelu", "Mish")
"""OpenVINO's names."""
NEEDED = "INT8 takes nncf, which is not installed: pip install 'andon[model]'"


class Calibration:
    """Pictures as the model gets them: letterboxed, float32 (1, 3, H, W) RGB, 0 to 1."""

    def __init__(self, pictures: Sequence[Picture], imgsz: int, head: Head) -> None:
        self._canvases: list[NDArray[np.uint8]] = []
        info = ModelInfo("", "", "", imgsz, (), head=head)
        LetterboxDetector(self, info, 1, 0.5).detect(pictures)

    def __len__(self) -> int:
        return len(self._canvases)

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        for canvas in self._canvases:
            planes = canvas.transpose(2, 0, 1)[None, ::-1]
            yield np.ascontiguousarray(planes, np.float32) / np.float32(255)

    def forward(self, canvases: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """A Network that detects nothing and keeps its canvases."""
        self._canvases += list(canvases.copy())
        return [np.zeros((0, 6), np.float32) for _ in canvases]


def quantize_openvino(folder: Path, calibration: Calibration, named: str, care: Care | None = None) -> None:
    """Quantize the model in `folder`, in place. Blocks for a minute. Raises ConfigError if nncf is missing."""
    ov = import_openvino()  # before nncf, so that it finds no telemetry either
    try:
        import nncf  # noqa: PLC0415 - heavy, and only here
    except ImportError:
        raise ConfigError(f"{named}: {NEEDED}") from None

    nncf.set_log_level("ERROR")
    (xml,) = folder.glob("*.xml")
    model = ov.Core().read_model(xml)
    quantized = nncf.quantize(
        model,
        nncf.Dataset(list(calibration)),
        # PERFORMANCE, symmetric, is up to 10 % faster. MIXED and the slow correction of biases agree better
        preset=nncf.QuantizationPreset.PERFORMANCE if care is None else nncf.QuantizationPreset.MIXED,
        fast_bias_correction=care is None,
        subset_size=len(calibration),
        advanced_parameters=_whole_ranges(nncf),
        ignored_scope=nncf.IgnoredScope(names=_head(model) if care is None else _careful(model, care)),
    )
    target = folder / "int8"
    target.mkdir()
    ov.save_model(quantized, target / xml.name, compress_to_fp16=False)
    for file in target.iterdir():
        file.replace(folder / file.name)  # after the weights were read: they are mapped from the file
    target.rmdir()


def _whole_ranges(nncf: Any) -> Any:
    """Scales that hold the greatest activation of all pictures.

    By default nncf takes the mean of the pictures' greatest ones and cuts off what exceeds it: what is rare, as a
    defect is. With it 0.957 of the confident detections of the demo's model agreed, with whole ranges 0.996.
    """
    ranges = nncf.quantization.range_estimator.RangeEstimatorParametersSet.MINMAX
    return nncf.AdvancedQuantizationParameters(activations_range_estimator_params=ranges)


def _head(model: Any) -> list[str]:
    """Operations of the last module, which holds the scores' sigmoid; named as torch's tracing numbers modules."""
    operations = model.get_ordered_ops()
    sigmoids = [op.get_friendly_name() for op in operations if op.get_type_name() == "Sigmoid"]
    scope = sigmoids[-1].split("/", 1)[0]
    return [
        op.get_friendly_name()
        for op in operations
        if op.get_type_name() == "Sigmoid" or op.get_friendly_name().startswith((f"{scope}/", f"{scope}."))
    ]


def _careful(model: Any, care: Care) -> list[str]:
    """Operations that stay in floats: of the head, of the modules that it reads, and of the first modules."""
    head = set(_head(model))
    modules = {op.get_friendly_name(): _module(op.get_friendly_name()) for op in model.get_ordered_ops()}
    read = {
        _module(_before_activation(source.get_source_output().get_node()).get_friendly_name())
        for op in model.get_ordered_ops()
        if op.get_friendly_name() in head
        for source in op.inputs()
    }
    kept = (read | set(range(care.first_modules))) - {-1}
    return [name for name, number in modules.items() if name in head or number in kept]


def _before_activation(node: Any) -> Any:
    """Activations bear the name of whichever module had the shared one last; what they read has its own."""
    while node.get_type_name() in ACTIVATIONS:
        node = node.input(0).get_source_output().get_node()
    return node


def quantize_onnx(path: Path, calibration: Calibration, care: Care | None = None) -> None:
    """Quantize the model at `path`, in place. Blocks for a minute."""
    import onnx  # noqa: PLC0415 - only the target runtime is needed
    from onnxruntime import quantization  # noqa: PLC0415 - as above

    graph = onnx.load(path).graph
    last = max(_module(node.name) for node in graph.node)
    kept = {last} if care is None else {last, *_read_by(graph, last), *range(care.first_modules)}
    left = [node.name for node in graph.node if _module(node.name) in kept]
    reader = _reader(quantization.CalibrationDataReader, calibration, graph.input[0].name)
    int8_path = path.with_name("int8.onnx")
    quantization.quantize_static(
        path,
        int8_path,
        reader,
        nodes_to_exclude=left,
        per_channel=True,
        # signed ones are twice as slow on x86. Source: ONNX Runtime, "Quantize ONNX Models", and measured
        activation_type=quantization.QuantType.QUInt8,
    )
    described = onnx.load(int8_path)
    onnx.helper.set_model_props(described, {item.key: item.value for item in onnx.load(path).metadata_props})
    onnx.save(described, path)
    int8_path.unlink()


def _read_by(graph: Any, head: int) -> set[int]:
    """The modules whose outputs the head reads."""
    made_by = {output: _module(node.name) for node in graph.node for output in node.output}
    return {made_by.get(given, -1) for node in graph.node if _module(node.name) == head for given in node.input} - {-1}


def _module(name: str) -> int:
    """`/model.23/cv2.0/...` (ONNX) and `__module.model.23.cv2.0/...` (OpenVINO) -> 23; the greatest is the head."""
    _, found, rest = name.replace("__module.model.", "/model.", 1).partition("/model.")
    number = rest.split("/", 1)[0].split(".", 1)[0]
    return int(number) if found and number.isdecimal() else -1


def _reader(base: Any, calibration: Calibration, given: str) -> Any:
    """The calibration as the iterator that ONNX Runtime expects."""

    class Reader(base):  # type: ignore[misc]  # onnxruntime has no types
        def __init__(self) -> None:
            self.left = iter(calibration)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            canvas = next(self.left, None)
            return None if canvas is None else {given: canvas}

        def rewind(self) -> None:
            self.left = iter(calibration)

    return Reader()
