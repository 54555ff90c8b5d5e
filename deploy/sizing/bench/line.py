"""A whole line for some seconds: what a frame costs each process, and how long it takes from capture to inspection.

Cameras are the demo's clips as files at their own rate; broker and Redis are the embedded ones, on the same cores.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from andon.clock import SystemClock
from andon.config import load
from andon.errors import FatalError
from andon.events import silent
from andon.settings import Settings
from deploy.local import cpu
from deploy.local.demo import watch
from deploy.local.http_get import http_get
from deploy.local.interrupt import alongside
from deploy.local.line import LinePlan, LocalLine, line
from deploy.sizing.measured import Encoding, LineFigures
from sample_streams import clips
from sample_streams.observer import Observer, percentile

FPS, WIDTH, HEIGHT = 15, 640, 480
"""Of the demo's clips."""
METRICS_S = 5.0
PUBLISHED = "andon_ingest_frames_published_total"
WARM_S = 3.0
"""From the first inspection until the measurement begins: all cameras are open then."""
LEAST_S = 8.0
"""A shorter span says nothing of p99."""
SPAN_S = 40.0
"""A longer span says no more."""
STARTS_S = 20.0
"""What a start takes on a slow machine. With less than that and LEAST_S left, the line is not started at all."""


@dataclass(frozen=True, slots=True)
class LineTrial:
    """What to run: the pool's model and judgement of `settings`, on a number of cameras, until `deadline_s` (monotonic)
    at the latest."""

    settings: Settings
    pool: str
    cameras: int
    cores: int
    deadline_s: float
    encoding: Encoding
    span_s: float = SPAN_S


def measure(trial: LineTrial, folder: Path) -> LineFigures:
    """Blocks; every process has ended when it returns. Raises FatalError if the line is not up in time."""
    return asyncio.run(_within(trial, folder))


def document(trial: LineTrial, folder: Path) -> dict[str, Any]:
    """The line.yaml."""
    settings, names = trial.settings, list(clips.CLIPS)
    shared = {"loop": True, "encoding": trial.encoding}
    cameras = [
        {"id": f"bench-{number}", "url": str(clips.FOLDER / f"{names[number % len(names)]}.mp4"), **shared}
        for number in range(trial.cameras)
    ]
    pool = settings.pools[trial.pool].model_dump(mode="json", exclude_unset=True, by_alias=True)
    if "weights" in pool.get("model", {}):
        pool["model"]["weights"] = str(Path(pool["model"]["weights"]).expanduser().absolute())
    kept = ("worker", "health", "defects", "parts")
    own = settings.model_dump(mode="json", include=set(kept), exclude_unset=True, by_alias=True)
    return {
        "line": "bench",
        **{key: value for key, value in own.items() if value is not None},
        "cameras": cameras,
        "pools": {"default": pool},
        "sinks": {"store": f"sqlite:///{folder / 'andon.db'}", "evidence": {"url": str(folder / "evidence")}},
        "spool": {"folder": str(folder / "spool")},
    }


async def _within(trial: LineTrial, folder: Path) -> LineFigures:
    clock = SystemClock()
    try:
        async with asyncio.timeout(trial.deadline_s - clock.monotonic()):
            config = folder / "line.yaml"
            config.write_text(yaml.safe_dump(document(trial, folder), sort_keys=False), encoding="utf-8")
            plan = LinePlan(config, load(config, environ={}), folder)
            async with line(plan, silent, clock) as running:
                return await _measured(trial, running)
    except TimeoutError:
        raise FatalError("the whole line was not up in time") from None


async def _measured(trial: LineTrial, running: LocalLine) -> LineFigures:
    observer = Observer([f"bench-{number}" for number in range(trial.cameras)])
    await running.start_inspecting()
    async with alongside(watch.inspections(running.at.settings, observer, silent), running.fails()):
        await running.start_capture()
        await watch.first_frame(observer)
        await asyncio.sleep(WARM_S)
        began, first = observer.inspected, await _mark(running, observer)
        left_s = trial.deadline_s - SystemClock().monotonic() - 1.0
        if left_s < LEAST_S:
            raise FatalError(f"the whole line was up, with {max(0.0, left_s):.0f} s left to measure it")
        await asyncio.sleep(min(left_s, trial.span_s))
        span = cpu.between(first, await _mark(running, observer))
        return figures(trial, span, observer.latencies_s[began:])


async def _mark(running: LocalLine, observer: Observer) -> cpu.Mark:
    """Each process with the frames that it has dealt with: a line that falls behind publishes more than it inspects."""
    ingest = running.process("ingest").role
    answer = await http_get(f"{ingest.url}/metrics", METRICS_S)
    if answer is None:
        raise FatalError(f"ingest did not answer within {METRICS_S:g} s while the whole line was measured")
    names = {"ingest": "ingest", "workers": "worker-1", "sinks": "sinks"}
    pids = {name: pid for name, role in names.items() if (pid := running.process(role).pid) is not None}
    pids |= {name: server.pid for name, server in running.at.own.items()}
    frames = dict.fromkeys(pids, float(observer.inspected))
    return cpu.mark(pids, frames | dict.fromkeys(("ingest", "broker"), published(answer.text)))


def published(metrics: str) -> float:
    """The frames of all cameras that the broker has acknowledged."""
    lines = [line for line in metrics.splitlines() if line.startswith(f"{PUBLISHED}{{")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def figures(trial: LineTrial, span: cpu.CpuSpan, latencies_s: list[float]) -> LineFigures:
    """Raises FatalError if not a single frame was captured or inspected in the span."""
    p50_s, p99_s = percentile(latencies_s, 50), percentile(latencies_s, 99)
    if p50_s is None or p99_s is None or not all(span.frames.values()):
        raise FatalError("the whole line inspected no frame while it was measured")
    costs: Mapping[str, float] = {name: round(span.cpu_ms_a_frame(name), 3) for name in span.cpu_s}
    return LineFigures(
        cameras=trial.cameras,
        fps=FPS,
        width=WIDTH,
        height=HEIGHT,
        captured_per_s=round(span.per_s("ingest"), 1),
        frames_per_s=round(span.per_s("workers"), 1),
        busy=round(sum(span.cpu_s.values()) / span.wall_s / trial.cores, 3),
        cpu_ms=dict(costs),
        p50_ms=round(1000 * p50_s, 1),
        p99_ms=round(1000 * p99_s, 1),
    )
