"""Makes the INT8 form of a .pt, calibrated on frames of the line that carry no labels."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

from andon.errors import FatalError
from workers.detector import ModelInfo, Picture
from workers.runtimes.cache import ENDINGS, ExportKind, cached_export
from workers.runtimes.export import Recipe, copied, make
from workers.runtimes.manifest import Runtime
from workers.runtimes.quantize import Calibration, Care, quantize_onnx, quantize_openvino
from workers.tuning.order import TuningOrder


@dataclass(frozen=True, slots=True)
class Int8Maker:
    """Makes them for one source."""

    order: TuningOrder
    room: Path
    """Their folder."""
    source: ModelInfo
    picture: Callable[[Path], Picture]

    def make(self, runtime: Runtime, first_floats: int) -> Path:
        """The artifact. Blocks for most of a minute. Raises ConfigError: a library for it is missing."""
        if runtime == "torch":
            raise FatalError("torch serves no INT8")
        return self._engine() if runtime == "tensorrt" else self._quantized(runtime, Care(first_floats))

    def _quantized(self, runtime: Literal["openvino", "onnx"], care: Care) -> Path:
        order = self.order
        exported = cached_export(order.weights, order.digest, order.cache, order.named, ExportKind(runtime))
        target = self.room / f"int8-{care.first_modules}{ENDINGS[runtime]}"
        pictures = [self.picture(path) for path in order.calibration]
        calibration = Calibration(pictures, self.source.imgsz, self.source.head)
        if runtime == "openvino":
            shutil.copytree(exported, target)
            quantize_openvino(target, calibration, order.named, care)
        else:
            shutil.copyfile(exported, target)
            quantize_onnx(target, calibration, care)
        return target

    def _engine(self) -> Path:
        """TensorRT's own calibration reads a dataset, which ultralytics hands to it."""
        building = self.room / "engine"
        building.mkdir()
        listed = building / "frames.txt"
        listed.write_text("".join(f"{path}\n" for path in self.order.calibration), encoding="utf-8")
        data = building / "data.yaml"
        names = dict(enumerate(self.source.classes))
        document = {"path": str(building), "train": str(listed), "val": str(listed), "names": names}
        data.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
        copy = copied(self.order.weights, self.order.digest, building, self.order.named)
        artifact = make(copy, Recipe("tensorrt", "int8", data=data), self.order.cache, self.order.named)
        return artifact.rename(self.room / f"int8{ENDINGS['tensorrt']}")
