"""`python -m bench`: all measurements in one run, each beside its peers; writes tables, report.json and PNGs."""

import importlib
import json
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

from bench.accuracy import published
from bench.harness import report_tables
from bench.harness.context import Context
from bench.harness.other_load import busy_cores
from bench.harness.plots import draw
from bench.harness.report import FILE, Course, Findings, Report
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
    Measurement("tune", "measurements.tuning", ()),
    Measurement("worker", "measurements.worker_throughput", ("worker_vs_bare",)),
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
    Measurement("spike", "measurements.arrival_spike", ("spike_drain_vs_ideal",)),
    Measurement("growth", "measurements.cost_and_memory", ("cost_64_vs_4_cameras", "memory_mb_per_100k_frames")),
    Measurement(
        "tutorial",
        "measurements.tutorial_throughput",
        ("worker_vs_tutorial_pt", "worker_vs_tutorial_same_model"),
        on_request=True,
    ),
    Measurement("cameras", "measurements.camera_fairness", (), on_request=True),
    Measurement(
        "scaled",
        "measurements.scaled_spike",
        ("spike_scaled_drain_vs_ideal", "spike_scaled_p99_after_s"),
        on_request=True,
    ),
    Measurement("roboflow", "peers.roboflow", (), on_request=True),
)
"""All that are not on request are laid out for a quarter of an hour together; `tune` has minutes of its own on a new
machine."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What the command line says."""

    only: tuple[str, ...]
    out: Path
    quick: bool
    resume: bool
    embedded: bool


@click.command()
@click.option("--only", multiple=True, metavar="NAME", help="Only this measurement; may be given several times.")
@click.option("--quick", is_flag=True, help="One short round: shows that it works; the figures mean nothing.")
@click.option("--resume", is_flag=True, help="Keep what OUT/report.json has of this commit and machine.")
@click.option("--embedded", is_flag=True, help="Use the embedded broker even if ANDON_KAFKA_HOME is set.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("bench/out"), show_default=True)
def main(only: tuple[str, ...], out: Path, *, quick: bool, resume: bool, embedded: bool) -> None:
    """Measure Andon beside its alternatives. Exits 1 if a measurement failed; a missed aim is only reported.

    \b
    Example:
      python -m bench --only worker --only line
    """
    choices = Choices(only, out, quick, resume, embedded)
    measurements = select(only)
    out.mkdir(parents=True, exist_ok=True)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    report, succeeded = measure(measurements, choices, console)
    report_tables.show(report, console)
    for path in (report.write(out), report_tables.write_markdown(report, out)):
        console.print(str(path), highlight=False, soft_wrap=True)
    sys.exit(0 if succeeded else 1)


def measure(measurements: list[Measurement], choices: Choices, console: Console) -> tuple[Report, bool]:
    """Run the measurements. Returns the report, and whether all succeeded."""
    with tempfile.TemporaryDirectory(prefix="andon-bench-") as folder:
        root = Path(folder)
        with servers(root / "servers", embedded=choices.embedded or None) as running:
            report = Report(machine(running, quick=choices.quick))
            context = Context(root, running, choices.quick, partial(console.print, highlight=False, markup=False))
            done = kept(report, choices, context) if choices.resume else []
            published.add_to(report, choices.out)
            left = [each for each in measurements if each.name not in done]
            succeeded = [run_measurement(each, context, report, choices.out) for each in left]
            return report, all(succeeded)


def kept(report: Report, choices: Choices, context: Context) -> list[str]:
    """The measurements that need not run again; what `only` names runs in any case.

    Raises UsageError if report.json is of something else.
    """
    path = choices.out / FILE
    keys = {each.name: each.keys for each in MEASUREMENTS if each.name not in choices.only}
    try:
        done = report.resume(json.loads(path.read_bytes()), keys)
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError) as error:
        raise click.UsageError(f"--resume: {path} can't be gone on with: {error}; run without --resume") from None
    context.figures.update(report.figures)
    context.say(f"{path} has {', '.join(done) or 'nothing'} already")
    return done


def select(only: tuple[str, ...]) -> list[Measurement]:
    """The measurements that `only` names, or all but those on request. Raises UsageError for an unknown name."""
    names = {measurement.name: measurement for measurement in MEASUREMENTS}
    if unknown := set(only) - set(names):
        raise click.UsageError(f"no measurement {', '.join(sorted(unknown))}; there are: {', '.join(names)}")
    wanted = set(only) or {name for name, measurement in names.items() if not measurement.on_request}
    return [measurement for name, measurement in names.items() if name in wanted]


def run_measurement(measurement: Measurement, context: Context, report: Report, out: Path) -> bool:
    """Run one, add it to the report, also if it fails, and write the report. Returns whether it succeeded."""
    name, busy = measurement.name, busy_cores()
    began = time.monotonic()
    context.say(f"{name} ... ({busy:.1f} cores busy before)")

    def course() -> Course:
        return Course(round(time.monotonic() - began, 1), busy)

    try:
        findings = measurement.measure(context)
        report.add(name, findings, course())
    except Exception as failure:  # one measurement's boundary: the report names the error
        reason = in_one_line(failure)
        report.fail(name, measurement.keys, reason, course())
        context.say(f"{name} FAILED: {reason}")
        return False
    finally:
        report.write(out)
    for plot in findings.plots:
        draw(plot, out)
    context.say(f"{name}: {report.courses[name].seconds:.0f} s")
    context.figures[name] = report.figures[name]
    return not findings.failed


def in_one_line(failure: Exception) -> str:
    """The first error in it."""
    error: BaseException = failure
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"


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
