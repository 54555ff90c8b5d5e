"""One soak, from the line's start to the last comparison."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from andon.clock import Clock
from andon.events import silent
from andon.redis import client
from andon.wire import Record
from deploy.local.audit import audit
from deploy.local.demo import line_yaml, watch
from deploy.local.interrupt import Interrupt, alongside
from deploy.local.kafka import ApacheKafka
from deploy.local.line import LinePlan, LocalLine, line
from sample_streams.observer import Observer
from tests.soak.clocks import Clocks
from tests.soak.injector import CameraServer, FaultInjector, Targets
from tests.soak.moment import Moment
from tests.soak.odd_camera import CAMERA_ID, OddCamera
from tests.soak.recovery import LineProbe, Recovery, wait_for_recovery
from tests.soak.replay import Replay
from tests.soak.schedule import Fault
from tests.soak.verdict import RAISED, SoakReport, account_of, compared

FPS = 5.0
"""Frame rate of each camera, low enough that a small machine has room to catch up."""


@dataclass(frozen=True, slots=True)
class Soak:
    plan: LinePlan
    encoding: str
    """`auto` or `jpeg`: how the demo's cameras' pictures travel. The odd camera sends JPEGs in every case."""
    minutes: float
    schedule: list[Fault]
    cameras: CameraServer
    odd_camera: OddCamera
    clocks: Clocks
    kafka: ApacheKafka | None
    observer: Observer
    replay: Replay
    clock: Clock
    console: Console


def document(folder: Path, cameras: CameraServer, odd_camera: OddCamera, encoding: str) -> dict[str, Any]:
    """The soak's line.yaml: the demo's, at a lower frame rate, and a camera of the soak's own."""
    content = line_yaml.document(folder, cameras.port)
    for camera in content["cameras"]:
        camera["fps"], camera["encoding"] = FPS, encoding
    content["cameras"].append({"id": CAMERA_ID, "url": odd_camera.url, "health": {"enabled": False}})
    return content


async def perform(soak: Soak, report: SoakReport) -> bool:
    """Run the soak, print each step and fill `report`. Returns False if a second signal stopped it during the start."""
    with Interrupt(lambda: soak.console.print("draining; Ctrl-C again stops at once")) as interrupt:
        async with line(soak.plan, silent, soak.clock) as running:
            content = document(soak.plan.folder, soak.cameras, soak.odd_camera, soak.encoding)
            content = line_yaml.with_addresses(content, running.at)
            line_yaml.write(content, soak.plan.config)
            title = f"seed {report.seed}, on {report.broker}, in {soak.plan.folder}"
            soak.console.print(title, highlight=False, soft_wrap=True)
            if not await interrupt.before(running.start_inspecting()):
                return False
            await _inject_and_compare(soak, running, interrupt, report)
    return True


@asynccontextmanager
async def _probe(soak: Soak, running: LocalLine) -> AsyncIterator[LineProbe]:
    """The probe of a line whose roles all run."""
    settings = running.at.settings
    redis = client(settings.redis.url.get_secret_value(), settings.redis.timeout_s)
    groups = (running.groups.sinks, running.groups.workers, running.groups.ingest)
    roles = [running.process(role.name) for group in groups for role in group.roles]
    sinks = [running.process(role.name) for role in running.groups.sinks.roles]
    try:
        yield LineProbe(soak.observer, redis, settings.redis, roles, sinks)
    finally:
        await redis.aclose()


async def _inject_and_compare(soak: Soak, running: LocalLine, interrupt: Interrupt, report: SoakReport) -> None:
    """Start capture, inject one fault after the other, drain, then compare."""
    settings, observe = running.at.settings, watch.observe(soak.observer)

    def take(record: Record) -> None:
        observe(record)
        soak.replay.take(record)

    watching = (watch.records(settings, take, silent), watch.alerts(settings, soak.observer, soak.clock))
    async with alongside(*watching):
        await running.start_capture()
        async with _probe(soak, running) as probe:
            injector = FaultInjector(running, _targets(soak, running), soak.clock)
            await interrupt.before(_inject_all(soak, injector, probe, report))
            await running.drain()
            await watch.until_quiet(lambda: soak.observer.inspected + len(soak.observer.alerts))
            await _finish(soak, report)


def _targets(soak: Soak, running: LocalLine) -> Targets:
    own, folder = running.at.own, soak.plan.folder
    return Targets(
        broker=soak.kafka or own["broker"],
        redis=own["redis"],
        cameras=soak.cameras,
        redis_data=folder / "redis",
        evidence=folder / "evidence",
        store=folder / "andon.db",
        broker_data=folder / "kafka" / "data",
        odd_camera=soak.odd_camera,
        clocks=soak.clocks,
    )


async def _inject_all(soak: Soak, injector: FaultInjector, probe: LineProbe, report: SoakReport) -> None:
    until = soak.clock.monotonic() + soak.minutes * 60
    await wait_for_recovery(probe, Moment.now(soak.clock), soak.clock)  # the start counts as the first recovery
    for fault in soak.schedule:
        await asyncio.sleep(fault.calm_s)
        if soak.clock.monotonic() >= until:
            return
        over = await injector.inject(fault)
        await _record(soak, fault, await wait_for_recovery(probe, over, soak.clock), report)


async def _record(soak: Soak, fault: Fault, recovery: Recovery, report: SoakReport) -> None:
    """Audit the line, print one line, and add the fault's complaints to the report."""
    account = account_of(await audit(soak.plan.config))
    complaints = report.add_fault(fault, recovery, account)
    row = {**asdict(fault), "recovery_s": recovery.seconds, "places_s": dict(recovery.after_s)}
    report.rows.append({**row, "ledger": account.ledger, "complaints": complaints})
    took = "-" if recovery.seconds is None else f"{recovery.seconds:.1f} s"
    ledger = " ".join(f"{key}={value}" for key, value in account.ledger.items() if value)
    soak.console.print(
        f"{fault.number:3} {fault.kind:14} {fault.for_s:5.1f} s  recovered in {took:>6} ({_places(recovery)})  {ledger}"
        f"  {'; '.join(complaints) or 'balanced'}",
        highlight=False,
        soft_wrap=True,
    )


def _places(recovery: Recovery) -> str:
    return " ".join(f"{name} {'-' if took is None else f'{took:.1f}'}" for name, took in recovery.after_s.items())


async def _finish(soak: Soak, report: SoakReport) -> None:
    stored = _event_ids(soak.plan.folder / "andon.db")
    alerted = Counter(alert.defect.event_id for alert in soak.observer.alerts)
    account = account_of(await audit(soak.plan.config))
    # a log that has lost its end no longer holds what the sinks had accounted for
    rolled_back = any(row["kind"] == "roll_back" for row in report.rows)
    report.finish(account, compared(dict.fromkeys(stored, 1) if rolled_back else soak.replay.events, stored, alerted))
    for summary in _summary(report):
        soak.console.print(summary, highlight=False, soft_wrap=True)
    for complaint in report.complaints:
        soak.console.print(f"FAILED: {complaint}", style="bold red", highlight=False, soft_wrap=True)


def _event_ids(store: Path) -> frozenset[str]:
    """The ids of all defect events in the store: no command prints them."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=10.0)) as connection:
        return frozenset(row[0] for row in connection.execute("SELECT event_id FROM defect_events"))


def _summary(report: SoakReport) -> list[str]:
    ledger = dict(report.ledger)
    lost, duplicates = ledger.pop("lost"), ledger.pop("duplicates")
    why = "".join(f" ({reason} {count})" for reason, count in report.lost.items())
    rest = " ".join(f"{key} {value}" for key, value in ledger.items())
    wrong = ", ".join(f"{count} {what}" for what, count in report.events.items() if what != RAISED)
    return [
        f"{report.events[RAISED]} events: {wrong}",
        f"{len(report.rows)} faults: {rest}; lost {lost}{why}, duplicates {duplicates}",
    ]
