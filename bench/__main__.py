"""`python -m bench`: every measurement in one run, each beside its peers; tables, report.json and PNGs."""

import importlib
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import psutil
from rich.console import Console

from bench.harness.context import Room
from bench.harness.plots import draw
from bench.harness.report import Findings, Report
from bench.harness.servers import Servers, servers

LIBRARIES = ("aiokafka", "av", "opencv-python", "openvino", "simplejpeg", "torch", "ultralytics")
WIDTH = 140
"""Of tables in a file."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """`bench.MODULE.measure(room) -> Findings`, and the ratios that it gives."""

    name: str
    module: str
    """Below `bench`."""
    keys: tuple[str, ...]
    asked: bool = False
    """Only where the command line names it."""

    def measure(self, room: Room) -> Findings:
        measure: Callable[[Room], Findings] = importlib.import_module(f"bench.{self.module}").measure
        return measure(room)


MEASUREMENTS = (
    Measurement(
        "worker",
        "measurements.worker_throughput",
        ("worker_vs_bare", "worker_vs_tutorial_pt", "worker_vs_tutorial_same_model"),
    ),
    Measurement(
        "line", "measurements.line_cost", ("line_cpu_vs_parts", "line_vs_predict_pt", "line_vs_predict_same_model")
    ),
    Measurement("latency", "measurements.latency", ("p99_vs_window_plus_inference",)),
    Measurement("scaling", "measurements.worker_scaling", ("scaling_8_workers",)),
    Measurement("cameras", "measurements.camera_fairness", ()),
    Measurement("spike", "measurements.arrival_spike", ("spike_drain_vs_ideal",)),
    Measurement("growth", "measurements.cost_and_memory", ("cost_64_vs_4_cameras", "memory_mb_per_100k_frames")),
    Measurement("peers.roboflow", "peers.roboflow", (), asked=True),
)


@click.command()
@click.option("--only", multiple=True, metavar="NAME", help="Only this measurement; may be given several times.")
@click.option("--quick", is_flag=True, help="One short round: to see that it works, not to believe.")
@click.option("--roboflow", is_flag=True, help="Try to install Roboflow's inference beside it, and measure that, too.")
@click.option("--embedded", is_flag=True, help="The embedded broker, even where ANDON_KAFKA_HOME is set.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("bench/out"), show_default=True)
def main(only: tuple[str, ...], out: Path, *, quick: bool, roboflow: bool, embedded: bool) -> None:
    """Measure Andon beside what else one could use. Exits 1 if a measurement failed; what an aim misses is only told.

    \b
    Example:
      python -m bench --only worker --only line
    """
    asked = chosen(only, roboflow=roboflow)
    out.mkdir(parents=True, exist_ok=True)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    with tempfile.TemporaryDirectory(prefix="andon-bench-") as folder:
        room_folder = Path(folder)
        with servers(room_folder / "servers", embedded=embedded or None) as running:
            report = Report(machine(running, quick=quick))
            room = Room(room_folder, running, quick, lambda text: console.print(text, highlight=False, markup=False))
            failed = [measurement.name for measurement in asked if not measured(measurement, room, report)]
    report.show(console)
    for path in [report.write(out), *(draw(plot, out) for plot in report.plots)]:
        console.print(str(path), highlight=False, soft_wrap=True)
    sys.exit(1 if failed else 0)


def chosen(only: tuple[str, ...], *, roboflow: bool) -> list[Measurement]:
    """Those named, or all that need not be asked for. Raises UsageError for a name that none has."""
    names = {measurement.name.rpartition(".")[2]: measurement for measurement in MEASUREMENTS}
    if unknown := set(only) - set(names):
        raise click.UsageError(f"no measurement {', '.join(sorted(unknown))}; there are: {', '.join(names)}")
    usual = {name for name, measurement in names.items() if not measurement.asked}
    wanted = (set(only) or usual) | ({"roboflow"} if roboflow else set())
    return [measurement for name, measurement in names.items() if name in wanted]


def measured(measurement: Measurement, room: Room, report: Report) -> bool:
    """A measurement that fails is told, and the others go on."""
    began = time.monotonic()
    room.say(f"{measurement.name} ...")
    try:
        findings = measurement.measure(room)
        report.add(measurement.name, findings, time.monotonic() - began)
    except Exception as failure:  # the boundary of one measurement: told in the report, which is not lost for it
        error: BaseException = failure
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
        report.fail(measurement.name, measurement.keys, reason, time.monotonic() - began)
        room.say(f"{measurement.name} FAILED: {reason}")
        return False
    room.found[measurement.name] = report.figures[measurement.name]
    return not findings.failed


def machine(running: Servers, *, quick: bool) -> dict[str, Any]:
    """On what it was measured."""
    return {
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "gpu": _said_by(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in LIBRARIES},
        "broker": running.broker,
        # with a + where something was changed since
        "commit": _said_by(["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]),
        "quick": quick,
        "load_before": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


def _said_by(command: list[str]) -> str:
    """What a program says; empty where it is not there or fails."""
    try:
        asked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)  # noqa: S603 - fixed words
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""


if __name__ == "__main__":
    main()
