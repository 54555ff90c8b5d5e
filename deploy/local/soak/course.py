"""One soak, from the line's start to the last comparison."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from sqlalchemy import select

from andon.clock import Clock
from andon.events import silent
from andon.redis import client
from andon.wire import Record
from deploy.local.audit import audit
from deploy.local.demo import scene, watch
from deploy.local.demo.tally import Tally
from deploy.local.interrupt import Interrupt, alongside
from deploy.local.kafka import ApacheKafka
from deploy.local.line import Line, Plan, line
from deploy.local.soak.breaker import Breaker, Cameras, Parts
from deploy.local.soak.moment import Moment
from deploy.local.soak.recovery import Outlook, Recovered, recovered
from deploy.local.soak.replay import Replay
from deploy.local.soak.schedule import Fault
from deploy.local.soak.verdict import RAISED, Outcome, account_of, compared
from sinks.store import tables
from sinks.store.database import Database, opened

FPS = 5.0
"""Of each camera: the line shall have room to catch up, on a small machine, too."""


@dataclass(frozen=True, slots=True)
class Soak:
    plan: Plan
    minutes: float
    schedule: list[Fault]
    cameras: Cameras
    kafka: ApacheKafka | None
    tally: Tally
    replay: Replay
    clock: Clock
    console: Console


def document(folder: Path, cameras: Cameras) -> dict[str, Any]:
    line_yaml = scene.document(folder, cameras.port)
    for camera in line_yaml["cameras"]:
        camera["fps"] = FPS
    return line_yaml


async def perform(soak: Soak, outcome: Outcome) -> bool:
    """Fill `outcome`, print as it goes. False: it was forced to stop before anything was to be seen."""
    with Interrupt(lambda: soak.console.print("draining; Ctrl-C again stops at once")) as interrupt:
        async with line(soak.plan, silent, soak.clock) as running:
            line_yaml = scene.settled(document(soak.plan.folder, soak.cameras), running.at)
            scene.write(line_yaml, soak.plan.config)
            told = f"seed {outcome.seed}, on {outcome.broker}, in {soak.plan.folder}"
            soak.console.print(told, highlight=False, soft_wrap=True)
            if not await interrupt.before(running.start_inspecting()):
                return False
            await _broken(soak, running, interrupt, outcome)
    return True


@asynccontextmanager
async def _outlook(soak: Soak, running: Line) -> AsyncIterator[tuple[Outlook, Database]]:
    """Looks at the line when all its roles run."""
    settings = running.at.settings
    store = await opened(settings.sinks.store.get_secret_value())
    redis = client(settings.redis.url.get_secret_value(), settings.redis.timeout_s)
    stages = (running.stages.sinks, running.stages.workers, running.stages.ingest)
    roles = [running.process(role.name) for stage in stages for role in stage.roles]
    try:
        yield Outlook(soak.tally, store, redis, settings.redis, roles), store
    finally:
        await redis.aclose()
        await store.close()


async def _broken(soak: Soak, running: Line, interrupt: Interrupt, outcome: Outcome) -> None:
    """Capture, faults one after the other, drain; then compare."""
    settings, see = running.at.settings, watch.seen_by(soak.tally)

    def take(record: Record) -> None:
        see(record)
        soak.replay.take(record)

    watching = (watch.records(settings, take, silent), watch.alerts(settings, soak.tally, soak.clock))
    async with alongside(*watching):
        await running.start_capture()
        async with _outlook(soak, running) as (outlook, store):
            breaker = Breaker(running, _parts(soak, running), soak.clock)
            await interrupt.before(_one_after_the_other(soak, breaker, outlook, outcome))
            await running.drain()
            await watch.until_quiet(lambda: soak.tally.inspected + len(soak.tally.alerts))
            await _finish(soak, store, outcome)


def _parts(soak: Soak, running: Line) -> Parts:
    own, folder = running.at.own, soak.plan.folder
    return Parts(
        broker=soak.kafka or own["broker"],
        redis=own["redis"],
        cameras=soak.cameras,
        redis_data=folder / "redis",
        evidence=folder / "evidence",
        store=folder / "andon.db",
    )


async def _one_after_the_other(soak: Soak, breaker: Breaker, outlook: Outlook, outcome: Outcome) -> None:
    until = soak.clock.monotonic() + soak.minutes * 60
    await recovered(outlook, Moment.now(soak.clock), soak.clock)  # from its start
    for fault in soak.schedule:
        await asyncio.sleep(fault.calm_s)
        if soak.clock.monotonic() >= until:
            return
        over = await breaker.do(fault)
        await _note(soak, fault, await recovered(outlook, over, soak.clock), outcome)


async def _note(soak: Soak, fault: Fault, recovery: Recovered, outcome: Outcome) -> None:
    """Audit, print a line, and remember what was not as promised."""
    account = account_of(await audit(soak.plan.config))
    complaints = outcome.note(fault, recovery, account)
    row = {**asdict(fault), "recovery_s": recovery.seconds, "places_s": dict(recovery.after_s)}
    outcome.rows.append({**row, "ledger": account.ledger, "complaints": complaints})
    took = "-" if recovery.seconds is None else f"{recovery.seconds:.1f} s"
    ledger = " ".join(f"{key}={value}" for key, value in account.ledger.items() if value)
    soak.console.print(
        f"{fault.number:3} {fault.kind:14} {fault.for_s:5.1f} s  recovered in {took:>6} ({_places(recovery)})  {ledger}"
        f"  {'; '.join(complaints) or 'balanced'}",
        highlight=False,
        soft_wrap=True,
    )


def _places(recovery: Recovered) -> str:
    return " ".join(f"{name} {'-' if took is None else f'{took:.1f}'}" for name, took in recovery.after_s.items())


async def _finish(soak: Soak, store: Database, outcome: Outcome) -> None:
    ids = select(tables.defect_events.c.event_id)
    stored = await store.run(lambda connection: connection.execute(ids).scalars().all())
    heard = Counter(alert.defect.event_id for alert in soak.tally.alerts)
    account = account_of(await audit(soak.plan.config))
    outcome.finish(account, compared(soak.replay.events, frozenset(stored), heard))
    for line_ in _last_words(outcome):
        soak.console.print(line_, highlight=False, soft_wrap=True)
    for complaint in outcome.complaints:
        soak.console.print(f"FAILED: {complaint}", style="bold red", highlight=False, soft_wrap=True)


def _last_words(outcome: Outcome) -> list[str]:
    ledger = dict(outcome.ledger)
    lost, duplicates = ledger.pop("lost"), ledger.pop("duplicates")
    why = "".join(f" ({reason} {count})" for reason, count in outcome.lost.items())
    rest = " ".join(f"{key} {value}" for key, value in ledger.items())
    wrong = ", ".join(f"{count} {what}" for what, count in outcome.events.items() if what != RAISED)
    return [
        f"{outcome.events[RAISED]} events: {wrong}",
        f"{len(outcome.rows)} faults: {rest}; lost {lost}{why}, duplicates {duplicates}",
    ]
