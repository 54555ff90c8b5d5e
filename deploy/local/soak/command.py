"""`andon soak`: breaks a line on a schedule that a seed reproduces, and audits it after each fault."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import get_args

import click
from rich.console import Console

from andon.clock import SystemClock
from andon.config import load
from andon.errors import ConfigError
from deploy.local.demo import scene
from deploy.local.demo.tally import Tally
from deploy.local.folders import fresh_folder
from deploy.local.interrupt import FORCED, run
from deploy.local.kafka import ApacheKafka
from deploy.local.line import Plan
from deploy.local.soak.breaker import Cameras
from deploy.local.soak.course import Soak, document, perform
from deploy.local.soak.recovery import RECOVERY_S
from deploy.local.soak.replay import Replay
from deploy.local.soak.schedule import ANYWHERE, LASTING, Kind, faults
from deploy.local.soak.verdict import Outcome

MOST_FAULTS = 10_000


@dataclass(frozen=True, slots=True)
class Wishes:
    """The command's options."""

    seed: int
    minutes: float
    workers: int
    only: tuple[Kind, ...]
    kafka_home: Path | None
    json_file: Path | None
    folder: Path | None


@click.command()
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same schedule.")
@click.option("--minutes", type=click.FloatRange(0.1), default=5.0, show_default=True, help="For how long to break it.")
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Worker processes.")
@click.option("--only", type=click.Choice(get_args(Kind)), multiple=True, help="Faults of this kind; may be repeated.")
@click.option(
    "--kafka-home",
    envvar="ANDON_KAFKA_HOME",
    type=click.Path(path_type=Path, file_okay=False),
    help="A Kafka distribution to run it on (or ANDON_KAFKA_HOME); without one the embedded broker serves.",
)
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the result there.")
@click.option("--dir", "folder", type=click.Path(path_type=Path, file_okay=False), help="A new folder to run in.")
def soak(**options: object) -> None:
    """Run the demo's line and break it again and again: processes killed and frozen, servers that come and go.

    After each fault the line has to recover and its account to balance. At the end every event that the log gives
    has to have been stored and alerted, once. Exits 1 if anything was not so, or if a frame was lost other than in a
    killed ingester's memory, which is told.

    \b
    Example:
      andon soak --seed 1 --minutes 5
    """
    wishes = Wishes(**options)  # type: ignore[arg-type]  # click has checked them
    outcome = Outcome(wishes.seed, "Apache Kafka" if wishes.kafka_home else "the embedded broker")
    with _prepared(wishes) as prepared:
        sys.exit(run(_performed(prepared, outcome, wishes.json_file)))


async def _performed(soak: Soak, outcome: Outcome, json_file: Path | None) -> int:
    if not await perform(soak, outcome):
        return FORCED
    if json_file:
        _save(outcome, json_file)
    return 1 if outcome.complaints else 0


@contextmanager
def _prepared(wishes: Wishes) -> Iterator[Soak]:
    folder = fresh_folder(wishes.folder, "soak")
    logs = folder / "logs"
    kafka = ApacheKafka(wishes.kafka_home, folder / "kafka", logs) if wishes.kafka_home else None
    kinds = wishes.only or (LASTING if kafka else ANYWHERE)
    if not kafka and not set(kinds) <= set(ANYWHERE):
        raise ConfigError("--only kill_broker: the embedded broker forgets everything; name a --kafka-home")
    schedule = faults(wishes.seed, kinds, MOST_FAULTS)
    with Cameras(logs) as cameras:
        config = folder / "line.yaml"
        scene.write(document(folder, cameras), config)
        settings = load(config)
        plan = Plan(config, settings, folder, wishes.workers, backlog_s=RECOVERY_S)
        tally = Tally([camera.id for camera in settings.cameras])
        soak = Soak(plan, wishes.minutes, schedule, cameras, kafka, tally, Replay(settings), SystemClock(), Console())
        if kafka is None:
            yield soak
            return
        with kafka:
            named = settings.kafka.model_copy(update={"bootstrap_servers": kafka.bootstrap_servers})
            plan = replace(plan, settings=settings.model_copy(update={"kafka": named}), own_log=True)
            yield replace(soak, plan=plan)


def _save(outcome: Outcome, path: Path) -> None:
    try:
        path.write_text(json.dumps(asdict(outcome), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--json {path}: {error.strerror}") from None
