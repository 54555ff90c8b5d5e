"""`andon soak`: breaks a line on a schedule that a seed reproduces, and audits it after each fault."""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from andon.clock import Clock, SystemClock
from andon.config import load
from andon.errors import ConfigError
from andon.events import silent
from deploy.local.audit import audit
from deploy.local.demo import scene, watch
from deploy.local.demo.tally import Tally
from deploy.local.folders import fresh_folder
from deploy.local.interrupt import FORCED, Interrupt, alongside, run
from deploy.local.kafka import ApacheKafka
from deploy.local.line import Line, Plan, line
from deploy.local.soak.breaker import Breaker, Cameras, Servers
from deploy.local.soak.schedule import ANYWHERE, LASTING, Fault, faults

FPS = 5.0
"""Of each camera: the line shall have room to catch up, on a small machine, too."""
RECOVERY_S = 120.0
"""A line that takes longer is told as one that did not recover."""
CAUGHT_UP_S = 3.0
"""A camera has recovered when a frame captured after the fault was inspected, no later than this after its capture."""
MOST_FAULTS = 10_000
ALLOWED_LOSS = frozenset({"ingester_died"})
"""What a killed ingester held in memory is lost, and said."""


@dataclass(frozen=True, slots=True)
class Soak:
    plan: Plan
    minutes: float
    schedule: list[Fault]
    cameras: Cameras
    kafka: ApacheKafka | None
    tally: Tally
    clock: Clock
    console: Console


@dataclass(slots=True)
class Outcome:
    """What came of a soak. `complaints` is empty if it went as promised."""

    seed: int
    broker: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    ledger: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)


@click.command()
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same schedule.")
@click.option("--minutes", type=click.FloatRange(0.5), default=5.0, show_default=True, help="For how long to break it.")
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Worker processes.")
@click.option(
    "--kafka-home",
    envvar="ANDON_KAFKA_HOME",
    type=click.Path(path_type=Path, file_okay=False),
    help="A Kafka distribution to run it on (or ANDON_KAFKA_HOME); without one the embedded broker serves.",
)
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the result there.")
@click.option("--dir", "folder", type=click.Path(path_type=Path, file_okay=False), help="A new folder to run in.")
def soak(**options: Any) -> None:
    """Run the demo's line and break it again and again: processes killed and frozen, servers that come and go.

    After each fault the line has to recover and its account to balance. Exits 1 if it did not, if a frame was lost
    other than in a killed ingester's memory, or if anything was counted or alerted twice.

    \b
    Example:
      andon soak --seed 1 --minutes 5
    """
    with _prepared(**{key: value for key, value in options.items() if key != "json_file"}) as prepared:
        seed = options["seed"]
        sys.exit(run(_soak(prepared, seed, options["json_file"])))


@contextmanager
def _prepared(seed: int, minutes: float, workers: int, kafka_home: Path | None, folder: Path | None) -> Iterator[Soak]:
    folder = fresh_folder(folder, "soak")
    logs = folder / "logs"
    kafka = ApacheKafka(kafka_home, folder / "kafka", logs) if kafka_home else None
    schedule = faults(seed, LASTING if kafka else ANYWHERE, MOST_FAULTS)
    with Cameras(logs) as cameras:
        config = folder / "line.yaml"
        scene.write(_document(folder, cameras), config)
        settings = load(config)
        plan = Plan(config, settings, folder, workers, backlog_s=RECOVERY_S)
        tally = Tally([camera.id for camera in settings.cameras])
        if kafka is None:
            yield Soak(plan, minutes, schedule, cameras, None, tally, SystemClock(), Console())
            return
        with kafka:
            named = settings.kafka.model_copy(update={"bootstrap_servers": kafka.bootstrap_servers})
            plan = replace(plan, settings=settings.model_copy(update={"kafka": named}), own_log=True)
            yield Soak(plan, minutes, schedule, cameras, kafka, tally, SystemClock(), Console())


def _document(folder: Path, cameras: Cameras) -> dict[str, Any]:
    document = scene.document(folder, cameras.port)
    for camera in document["cameras"]:
        camera["fps"] = FPS
    return document


async def _soak(soak: Soak, seed: int, json_file: Path | None) -> int:
    outcome = Outcome(seed, "Apache Kafka" if soak.kafka else "embedded")
    with Interrupt(lambda: soak.console.print("draining; Ctrl-C again stops at once")) as interrupt:
        async with line(soak.plan, silent, soak.clock) as running:
            document = _document(soak.plan.folder, soak.cameras)
            scene.write(scene.settled(document, running.at), soak.plan.config)
            soak.console.print(f"seed {seed}, on {outcome.broker}, in {soak.plan.folder}", highlight=False)
            if not await interrupt.before(running.start_inspecting()):
                return FORCED
            await _broken(soak, running, interrupt, outcome)
            await _finish(soak, outcome)
    if json_file:
        _save(outcome, json_file)
    return 1 if outcome.complaints else 0


def _save(outcome: Outcome, path: Path) -> None:
    try:
        path.write_text(json.dumps(asdict(outcome), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--json {path}: {error.strerror}") from None


async def _broken(soak: Soak, running: Line, interrupt: Interrupt, outcome: Outcome) -> None:
    """Capture, faults one after the other, drain."""
    settings = running.at.settings
    own = running.at.own
    servers = Servers(soak.kafka or own["broker"], own["redis"], soak.plan.folder / "redis", soak.cameras)
    breaker = Breaker(running, servers)
    watching = (watch.inspections(settings, soak.tally, silent), watch.alerts(settings, soak.tally, soak.clock))
    async with alongside(*watching):
        await running.start_capture()
        await interrupt.before(_one_after_the_other(soak, breaker, outcome))
        await running.drain()
        await watch.until_quiet(lambda: soak.tally.inspected + len(soak.tally.alerts))


async def _one_after_the_other(soak: Soak, breaker: Breaker, outcome: Outcome) -> None:
    until = soak.clock.monotonic() + soak.minutes * 60
    await _recovered(soak, soak.clock.now())
    for fault in soak.schedule:
        await asyncio.sleep(fault.calm_s)
        if soak.clock.monotonic() >= until:
            return
        await breaker.do(fault)
        took_s = await _recovered(soak, soak.clock.now())
        await _note(soak, fault, took_s, outcome)


async def _recovered(soak: Soak, over_at: datetime) -> float | None:
    """Seconds until every camera's frames are inspected again as they come; None: not within RECOVERY_S."""
    began = soak.clock.monotonic()
    try:
        async with asyncio.timeout(RECOVERY_S):
            while not _caught_up(soak.tally, over_at):  # noqa: ASYNC110 - the tally is plain data
                await asyncio.sleep(0.1)
    except TimeoutError:
        return None
    return soak.clock.monotonic() - began


def _caught_up(tally: Tally, over_at: datetime) -> bool:
    cameras = tally.cameras.values()
    return all(item.recent and item.recent[-1] > over_at and item.behind_s < CAUGHT_UP_S for item in cameras)


async def _note(soak: Soak, fault: Fault, took_s: float | None, outcome: Outcome) -> None:
    """Audit, print a line, and remember what was not as promised."""
    report = await audit(soak.plan.config)
    complaints = _complaints(soak, report)
    if took_s is None:
        complaints.append(f"not recovered after {RECOVERY_S:.0f} s")
    recovery = "-" if took_s is None else f"{took_s:5.1f} s"
    row = {**asdict(fault), "recovery_s": took_s, "ledger": report["ledger"], "complaints": complaints}
    outcome.rows.append(row)
    outcome.complaints += [f"fault {fault.number}, {fault.kind}: {complaint}" for complaint in complaints]
    ledger = " ".join(f"{key}={value}" for key, value in report["ledger"].items() if value)
    verdict = "; ".join(complaints) or "balanced"
    soak.console.print(
        f"{fault.number:3} {fault.kind:14} {fault.for_s:5.1f} s  recovered in {recovery}  {ledger}  {verdict}",
        highlight=False,
        soft_wrap=True,
    )


def _complaints(soak: Soak, report: dict[str, Any]) -> list[str]:
    ledger = report["ledger"]
    lost = {reason: count for camera in report["cameras"] for reason, count in camera["lost"].items() if count}
    checks = {
        "the account does not balance": report["balanced"],
        f"{ledger['duplicates']} counted twice": ledger["duplicates"] == 0,
        f"lost: {lost}": set(lost) <= ALLOWED_LOSS,
        f"{soak.tally.repeated_alerts} alerts came twice": soak.tally.repeated_alerts == 0,
    }
    return [complaint for complaint, well in checks.items() if not well]


async def _finish(soak: Soak, outcome: Outcome) -> None:
    report = await audit(soak.plan.config)
    outcome.ledger = report["ledger"]
    for camera in report["cameras"]:
        for reason, count in camera["lost"].items():
            outcome.lost[reason] = outcome.lost.get(reason, 0) + count
    complaints = _complaints(soak, report)
    if report["ledger"]["in_flight"]:
        complaints.append(f"{report['ledger']['in_flight']} frames were left in flight")
    outcome.complaints += [f"at the end: {complaint}" for complaint in complaints]
    ledger = " ".join(f"{key}={value}" for key, value in report["ledger"].items())
    soak.console.print(f"{len(outcome.rows)} faults; {ledger}; alerts {len(soak.tally.alerts)}", highlight=False)
    for complaint in outcome.complaints:
        soak.console.print(f"FAILED: {complaint}", style="bold red", highlight=False, soft_wrap=True)
