"""Finds the suppression inside an export: ultralytics writes its thresholds into the graph, and nowhere else.

Source: ultralytics 8.4, `engine/exporter.py`, `NMSModel`: what is not Greater than `conf` is dropped, then
NonMaxSuppression compares boxes with `iou`, and `max_det` of them are the output.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from workers.detector import BuiltIn

GREATER, SUPPRESSION = "Greater", "NonMaxSuppression"
IOU_INPUT = 3
"""Of NonMaxSuppression, in ONNX and in OpenVINO."""
Constants = tuple[float | None, ...]
"""The inputs of an operation, None for one that is computed."""


def suppresses(metadata: Mapping[str, Any]) -> bool:
    """Whether an export's metadata says that it was exported with `nms=True`."""
    arguments = metadata.get("args")
    return isinstance(arguments, Mapping) and arguments.get("nms") is True and not metadata.get("end2end")


def of_onnx(path: Path) -> BuiltIn:
    """Its thresholds, as far as they can be found: reading a graph takes the package `onnx`."""
    try:
        import onnx  # noqa: PLC0415 - a worker that serves .onnx files need not have it
    except ImportError:
        return BuiltIn()
    graph = onnx.load(path, load_external_data=False).graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    tensors |= {node.output[0]: node.attribute[0].t for node in graph.node if node.op_type == "Constant"}

    def value(name: str) -> float | None:
        tensor = tensors.get(name)
        return None if tensor is None or tensor.external_data else _single(onnx.numpy_helper.to_array(tensor))

    operations = [
        (node.op_type, tuple(value(name) for name in node.input)) for node in graph.node if _matters(node.op_type)
    ]
    shape = [side.dim_value for side in graph.output[0].type.tensor_type.shape.dim]
    return _described(operations, shape[1] if len(shape) > 1 else 0)


def of_openvino(model: Any) -> BuiltIn:
    """`model`: an openvino.Model, as it was read."""

    def value(source: Any) -> float | None:
        node = source.get_source_output().get_node()
        while node.get_type_name() == "Convert":  # 16 bit constants of a compressed model
            node = node.input(0).get_source_output().get_node()
        return _single(node.get_data()) if node.get_type_name() == "Constant" else None

    found = [node for node in model.get_ordered_ops() if _matters(node.get_type_name())]
    operations = [(node.get_type_name(), tuple(value(one) for one in node.inputs())) for node in found]
    shape = model.output(0).get_partial_shape()
    rows = shape[1] if len(shape) > 1 else None
    return _described(operations, rows.get_length() if rows is not None and rows.is_static else 0)


def _matters(operation: str) -> bool:
    return operation in (GREATER, SUPPRESSION)


def _single(array: Any) -> float | None:
    """Of a constant with one value."""
    values = np.asarray(array)
    return float(values.ravel()[0]) if values.size == 1 else None


def _described(operations: Iterable[tuple[str, Constants]], most: int) -> BuiltIn:
    confidence = iou = None
    for operation, inputs in operations:
        constants = [value for value in inputs if value is not None and 0 < value < 1]
        if operation == GREATER and confidence is None and constants:
            confidence = round(constants[0], 6)
        if operation == SUPPRESSION and iou is None and len(inputs) > IOU_INPUT and inputs[IOU_INPUT] is not None:
            iou = round(float(inputs[IOU_INPUT] or 0), 6)
    return BuiltIn(confidence, iou, most or None)
