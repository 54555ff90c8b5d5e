"""`python -m tests.soak`: injects faults into the demo's line on the schedule of a seed and audits it after each."""

import json
import logging
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
from andon.errors import AndonError, ConfigError
from deploy.local.demo import line_yaml
from deploy.local.folders import fresh_folder
from deploy.local.interrupt import FORCED, run
from deploy.local.kafka import ApacheKafka
from deploy.local.line import LinePlan
from sample_streams.observer import Observer
from tests.soak.clocks import Clocks
from tests.soak.injector import CameraServer
from tests.soak.odd_camera import OddCamera
from tests.soak.recovery import RECOVERY_S
from tests.soak.replay import Replay
from tests.soak.schedule import ANYWHERE, LASTING, Kind, faults
from tests.soak.soak import Soak, document, perform
from tests.soak.verdict import SoakReport

MAX_FAULTS = 10_000


@dataclass(frozen=True, slots=True)
class Options:
    """The command's options."""

    seed: int
    minutes: float
    workers: int
    encoding: str
    only: tuple[Kind, ...]
    kafka_home: Path | None
    json_file: Path | None
    folder: Path | None


@click.command()
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same schedule.")
@click.option(
    "--minutes", type=click.FloatRange(0.1), default=5.0, show_default=True, help="How long to inject faults."
)
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Worker processes.")
@click.option(
    "--encoding",
    type=click.Choice(["auto", "jpeg"]),
    default="auto",
    show_default=True,
    help="auto: workers decode the cameras' own video; jpeg: ingest does.",
)
@click.option("--only", type=click.Choice(get_args(Kind)), multiple=True, help="Only faults of this kind; repeatable.")
@click.option(
    "--kafka-home",
    envvar="ANDON_KAFKA_HOME",
    type=click.Path(path_type=Path, file_okay=False),
    help="Run on this Kafka distribution (or ANDON_KAFKA_HOME); the default is the embedded broker.",
)
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the result there.")
@click.option("--dir", "folder", type=click.Path(path_type=Path, file_okay=False), help="A new folder to run in.")
def soak(**options: object) -> None:
    """Run the demo's line and break it again and again: processes killed and frozen, servers stopped and restarted.

    After each fault the line has to recover and its account has to balance. At the end the store has to hold every
    event that the log yields, and each must have been alerted once. Exits 1 if anything else happened, or if a frame
    was lost for another reason than an ingester's death or a log that was rolled back.

    \b
    Example:
      python -m tests.soak --seed 1 --minutes 5
    """
    chosen = Options(**options)  # type: ignore[arg-type]  # click has checked them
    report = SoakReport(chosen.seed, "Apache Kafka" if chosen.kafka_home else "the embedded broker")
    with _prepared(chosen) as prepared:
        sys.exit(run(_perform(prepared, report, chosen.json_file)))


async def _perform(soak: Soak, report: SoakReport, json_file: Path | None) -> int:
    if not await perform(soak, report):
        return FORCED
    if json_file:
        _save(report, json_file)
    return 1 if report.complaints else 0


@contextmanager
def _prepared(chosen: Options) -> Iterator[Soak]:
    folder = fresh_folder(chosen.folder, "soak")
    logs = folder / "logs"
    kafka = ApacheKafka(chosen.kafka_home, folder / "kafka", logs) if chosen.kafka_home else None
    kinds = chosen.only or (LASTING if kafka else ANYWHERE)
    if not kafka and not set(kinds) <= set(ANYWHERE):
        only = ", ".join(sorted(set(kinds) - set(ANYWHERE)))
        raise ConfigError(f"--only {only}: the embedded broker keeps its log in memory; name a --kafka-home")
    schedule = faults(chosen.seed, kinds, MAX_FAULTS)
    clocks = Clocks(folder / "clocks")
    with CameraServer(logs) as cameras, OddCamera() as odd_camera:
        config = folder / "line.yaml"
        line_yaml.write(document(folder, cameras, odd_camera, chosen.encoding), config)
        settings = load(config)
        plan = LinePlan(config, settings, folder, chosen.workers, backlog_s=RECOVERY_S)
        observer = Observer([camera.id for camera in settings.cameras])
        soak = Soak(
            plan,
            chosen.encoding,
            chosen.minutes,
            schedule,
            cameras,
            odd_camera,
            clocks,
            kafka,
            observer,
            Replay(settings),
            SystemClock(),
            Console(),
        )
        if kafka is None:
            yield soak
            return
        with kafka:
            named = settings.kafka.model_copy(update={"bootstrap_servers": kafka.bootstrap_servers})
            plan = replace(plan, settings=settings.model_copy(update={"kafka": named}), own_log=True)
            yield replace(soak, plan=plan)


def _save(report: SoakReport, path: Path) -> None:
    try:
        path.write_text(json.dumps(asdict(report), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--json {path}: {error.strerror}") from None


if __name__ == "__main__":
    # the client writes dozens of lines while a broker is away, which is what a fault is
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    try:
        soak()
    except AndonError as error:
        sys.stderr.write(f"soak: {error}\n")
        sys.exit(2 if isinstance(error, ConfigError) else 1)
