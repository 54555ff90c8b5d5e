"""`python -m bench`: all measurements in one run, each beside its peers; writes tables, report.json and PNGs."""

import importlib
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import psutil
from rich.console import Console

from bench.harness.context import Context
from bench.harness.plots import draw
from bench.harness.report import Findings, Report
from bench.harness.servers import Servers, servers
from bench.harness.vector_units import vector_units
from deploy.sizing.bench.machine import gpus, output_of, processor

LIBRARIES = ("aiokafka", "av", "opencv-python", "openvino", "simplejpeg", "torch", "ultralytics")
WIDTH = 140
"""Columns of the tables if stdout is no terminal."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """Runs `bench.MODULE.measure(context) -> Findings`. `keys` are the ratios that it gives."""

    name: str
    module: str
    """Below `bench`."""
    keys: tuple[str, ...]
    on_request: bool = False
    """It runs only if the command line names it."""

    def measure(self, context: Context) -> Findings:
        measure: Callable[[Context], Findings] = importlib.import_module(f"bench.{self.module}").measure
        return measure(context)


MEASUREMENTS = (
    Measurement(
        "worker",
        "measurements.worker_throughput",
        ("worker_vs_bare", "worker_vs_tutorial_pt", "worker_vs_tutorial_same_model"),
    ),
    Measurement(
        "line",
        "measurements.line_cost",
        ("line_vs_decode_plus_inference_demo", "line_vs_predict_pt", "line_vs_predict_best"),
    ),
    Measurement(
        "plant",
        "measurements.plant_line",
        (
            "ingest_passthrough_vs_jpeg",
            "line_vs_decode_plus_inference_plant",
            "bytes_passthrough_vs_jpeg",
            "latency_passthrough_minus_jpeg",
        ),
    ),
    Measurement("latency", "measurements.latency", ("p99_vs_window_plus_inference",)),
    Measurement("scaling", "measurements.worker_scaling", ("scaling_8_workers",)),
    Measurement("cameras", "measurements.camera_fairness", ()),
    Measurement("spike", "measurements.arrival_spike", ("spike_drain_vs_ideal",)),
    Measurement("scaled", "measurements.scaled_spike", ("spike_scaled_drain_vs_ideal", "spike_scaled_p99_after_s")),
    Measurement("growth", "measurements.cost_and_memory", ("cost_64_vs_4_cameras", "memory_mb_per_100k_frames")),
    Measurement("peers.roboflow", "peers.roboflow", (), on_request=True),
)


@click.command()
@click.option("--only", multiple=True, metavar="NAME", help="Only this measurement; may be given several times.")
@click.option("--quick", is_flag=True, help="One short round: shows that it works; the figures mean nothing.")
@click.option("--roboflow", is_flag=True, help="Also try to install Roboflow's inference, and measure it.")
@click.option("--embedded", is_flag=True, help="Use the embedded broker even if ANDON_KAFKA_HOME is set.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("bench/out"), show_default=True)
def main(only: tuple[str, ...], out: Path, *, quick: bool, roboflow: bool, embedded: bool) -> None:
    """Measure Andon beside its alternatives. Exits 1 if a measurement failed; a missed aim is only reported.

    \b
    Example:
      python -m bench --only worker --only line
    """
    measurements = select(only, roboflow=roboflow)
    out.mkdir(parents=True, exist_ok=True)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    with tempfile.TemporaryDirectory(prefix="andon-bench-") as folder:
        root = Path(folder)
        with servers(root / "servers", embedded=embedded or None) as running:
            report = Report(machine(running, quick=quick))
            context = Context(root, running, quick, partial(console.print, highlight=False, markup=False))
            succeeded = [run_measurement(measurement, context, report) for measurement in measurements]
    report.show(console)
    for path in [report.write(out), *(draw(plot, out) for plot in report.plots)]:
        console.print(str(path), highlight=False, soft_wrap=True)
    sys.exit(0 if all(succeeded) else 1)


def select(only: tuple[str, ...], *, roboflow: bool) -> list[Measurement]:
    """The measurements that `only` names, or all but those on request. Raises UsageError for an unknown name."""
    names = {measurement.name.rpartition(".")[2]: measurement for measurement in MEASUREMENTS}
    if unknown := set(only) - set(names):
        raise click.UsageError(f"no measurement {', '.join(sorted(unknown))}; there are: {', '.join(names)}")
    default = {name for name, measurement in names.items() if not measurement.on_request}
    wanted = (set(only) or default) | ({"roboflow"} if roboflow else set())
    return [measurement for name, measurement in names.items() if name in wanted]


def run_measurement(measurement: Measurement, context: Context, report: Report) -> bool:
    """Run one and add it to the report, also if it fails. Returns whether it succeeded."""
    began = time.monotonic()
    context.say(f"{measurement.name} ...")
    try:
        findings = measurement.measure(context)
        report.add(measurement.name, findings, time.monotonic() - began)
    except Exception as failure:  # one measurement's boundary: the report names the error
        error: BaseException = failure
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
        report.fail(measurement.name, measurement.keys, reason, time.monotonic() - began)
        context.say(f"{measurement.name} FAILED: {reason}")
        return False
    context.figures[measurement.name] = report.figures[measurement.name]
    return not findings.failed


def machine(running: Servers, *, quick: bool) -> dict[str, Any]:
    """The machine, the broker and the versions that the run used."""
    return {
        "cpu": processor(),
        "cores": os.cpu_count(),
        "vector_units": vector_units(),
        "gpu": gpus(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in LIBRARIES},
        "broker": running.broker,
        # + marks uncommitted changes
        "commit": output_of(["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]),
        "quick": quick,
        "load_before": round(os.getloadavg()[0], 2),
    }


if __name__ == "__main__":
    main()
