"""`python -m bench.gpu`: what a machine with an NVIDIA GPU carries, in at most eight minutes, as one JSON document.

Each step stands alone: one that fails or finds no time left says so, and the others count. Without a GPU it prints one
line and ends with 0.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from bench.gpu_load import GpuLoad
from bench.harness.context import Context
from bench.harness.servers import servers
from deploy.sizing.bench.machine import gpus, output_of, processor

LIMIT_S = 480.0
MESSAGE = 300


@dataclass(frozen=True, slots=True)
class Step:
    """One measurement."""

    name: str
    run: Callable[[], Mapping[str, Any]]
    needs_s: float
    """It is not begun with less time left."""


def run_steps(
    steps: Iterable[Step], limit_s: float, say: Callable[[str], None], now_s: Callable[[], float] = time.monotonic
) -> dict[str, Any]:
    """Each step's result by its name; `failed` or `skipped` in its place."""
    began_s, results = now_s(), dict[str, Any]()
    for step in steps:
        left_s = began_s + limit_s - now_s()
        if left_s < step.needs_s:
            results[step.name] = {"skipped": f"{left_s:.0f} s were left, it needs {step.needs_s:.0f}"}
            continue
        say(f"{step.name} ...")
        since_s = now_s()
        try:
            results[step.name] = {**step.run(), "seconds": round(now_s() - since_s, 1)}
        except Exception as error:  # one step's boundary: the document names the error
            results[step.name] = {"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:MESSAGE]}"}
    return results


def missing() -> str:
    """Why there is no GPU to measure. Empty: there is one."""
    if not gpus():
        return "no NVIDIA GPU: nvidia-smi shows none"
    import torch  # noqa: PLC0415 - seconds, and only where there is a GPU

    if not torch.cuda.is_available():
        return f"torch {torch.__version__} sees no GPU: install a torch with CUDA"
    return ""


def steps(context: Context) -> list[Step]:
    from bench import gpu_steps as work  # noqa: PLC0415 - it loads torch

    return [
        Step("capability", work.capability, 5),
        Step("pixels_equal_to_software", lambda: work.pixels_equal(context), 20),
        Step("pictures_on_card", lambda: work.pictures_on_card(context), 20),
        Step("decode_alone", lambda: work.decode_alone(context), 30),
        Step("inference_alone", work.inference_alone, 90),
        Step("worker_drained", lambda: work.worker_drained(context), 90),
        Step("streams_at_30_fps", lambda: work.streams_that_hold(context), 60),
    ]


@click.command()
@click.option("--limit", "limit_s", type=click.FloatRange(30), default=LIMIT_S, show_default=True, help="Seconds.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Also write the document there.")
@click.option("--embedded", is_flag=True, help="Use the embedded broker even if ANDON_KAFKA_HOME is set.")
def main(limit_s: float, out: Path | None, *, embedded: bool) -> None:
    """Measure decoding, inference, a worker and whole streams on this machine's GPU.

    \b
    Example:
      python -m bench.gpu --out gpu.json
    """
    reason = missing()
    if reason:
        click.echo(json.dumps({"gpu": None, "skipped": reason}))
        return

    def say(text: str) -> None:
        click.echo(text, err=True)

    with tempfile.TemporaryDirectory(prefix="andon-gpu-") as folder:
        root = Path(folder)
        with servers(root / "servers", embedded=embedded or None) as running, GpuLoad() as load:
            context = Context(root, running, quick=False, say=say)
            document = {"machine": machine(running.broker), **run_steps(steps(context), limit_s, say)}
        document["load"] = load.summary()
    text = json.dumps(document, indent=2, ensure_ascii=False)
    click.echo(text)
    if out is not None:
        out.write_text(text + "\n", encoding="utf-8")
    sys.exit(1 if any("failed" in result for result in document.values() if isinstance(result, dict)) else 0)


def machine(broker: str) -> dict[str, Any]:
    driver = output_of(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"])
    commit = output_of(["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"])
    return {"gpu": gpus(), "driver": driver, "cpu": processor(), "broker": broker, "commit": commit}


if __name__ == "__main__":
    try:
        main()
    except subprocess.SubprocessError as error:
        sys.exit(str(error))
