"""What nvidia-smi says of the GPU's load while something is measured: its decoder, its multiprocessors, its memory."""

import statistics
import subprocess
from collections.abc import Iterable
from types import TracebackType
from typing import Self

QUERY = ("utilization.decoder", "utilization.gpu", "memory.used")
COMMAND = (
    "nvidia-smi",
    f"--query-gpu={','.join(QUERY)}",
    "--format=csv,noheader,nounits",
    "--loop-ms=500",
)
NAMES = ("decoder_percent", "sm_percent", "memory_mb")


class GpuLoad:
    """Samples while it is entered."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._output = ""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(  # noqa: S603 - nvidia-smi with fixed arguments
            COMMAND, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        assert self._process is not None
        self._process.terminate()
        self._output = self._process.communicate(timeout=10)[0]

    def summary(self) -> dict[str, dict[str, float]]:
        """Mean and highest of each. Empty: nvidia-smi said nothing."""
        return summed_up(self._output.splitlines())


def summed_up(lines: Iterable[str]) -> dict[str, dict[str, float]]:
    rows = [row for line in lines if (row := _numbers(line)) is not None]
    columns = zip(NAMES, zip(*rows, strict=True), strict=False)
    return {name: {"mean": round(statistics.fmean(values), 1), "most": max(values)} for name, values in columns}


def _numbers(line: str) -> tuple[float, ...] | None:
    """None: a line cut off, or a figure that this GPU does not have (`[N/A]`)."""
    try:
        found = tuple(float(part) for part in line.split(","))
    except ValueError:
        return None
    return found if len(found) == len(NAMES) else None
