"""What `/system` shows: latency, lag and outbox of the last hours always; all else while somebody looks.

Lag comes from the broker, the outbox and the ledger from the store, disks from this host, and what only the processes
themselves know from their `/metrics` (running_processes.py).
"""

import asyncio
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, column, func, select, table

from andon import __version__
from andon.errors import ConfigError
from andon.settings import Settings
from andon.stream.lag import group_lag
from sinks.board.backlogs import Backlogs
from sinks.board.latencies import InspectionSample, Latencies, MinuteLatency
from sinks.board.models.system import (
    ChannelDepth,
    DiskRoom,
    GroupLag,
    LatencyView,
    LedgerBalance,
    ModelInService,
    SystemView,
)
from sinks.board.queries.standing import CameraStanding, standings
from sinks.store import tables
from sinks.store.database import sqlite_file

SAMPLE = 200
"""Inspections of one look at most, the newest: with more a large line's board would do nothing but read them."""
BROKER_S = 3.0
DEEP = 100_000
"""Rows of the outbox that are counted at most for each channel."""


@dataclass(slots=True)
class SystemNews:
    """Filled by the looks below; pages only read it. Event loop only."""

    latencies: Latencies = field(default_factory=Latencies)
    backlogs: Backlogs = field(default_factory=Backlogs)
    last_id: str = "-"
    looked_s: float | None = None
    """The last look at lag and outbox, on the monotonic clock."""
    watched: bool = False
    """Whether somebody saw that look."""
    view: SystemView | None = None
    """As it was measured last, without latencies."""
    disks: dict[str, tuple[float, int]] = field(default_factory=dict)
    """When each disk was first looked at, on the monotonic clock, and its free bytes then."""


def samples(entries: Sequence[tuple[Any, Any]]) -> Iterator[InspectionSample]:
    """The inspected frames among entries of the stream. One that can't be read is passed over."""
    for _, fields in entries:
        try:
            content = json.loads(fields[b"inspection"])
            if content["outcome"] == "inspected":
                yield InspectionSample(
                    datetime.fromisoformat(content["captured_at"]),
                    datetime.fromisoformat(content["inspected_at"]),
                    int(content["timings"]["batch_size"]),
                    str(content["model"]),
                    str(content["runtime"]),
                )
        except (KeyError, ValueError, TypeError):
            continue


def store_facts(connection: Connection) -> tuple[list[ChannelDepth], list[CameraStanding], str | None]:
    outbox = tables.outbox
    depths = []
    for channel in connection.execute(select(outbox.c.channel).distinct()).scalars():
        mine = outbox.c.channel == channel
        some = select(outbox.c.id).where(mine).limit(DEEP).subquery()
        count = connection.execute(select(func.count()).select_from(some)).scalar_one()
        first = connection.execute(select(outbox.c.created_at).where(mine).order_by(outbox.c.id).limit(1)).scalar()
        depths.append(ChannelDepth(channel=channel, waiting=count, since=first))
    version = table("alembic_version", column("version_num"))
    revision = connection.execute(select(version.c.version_num)).scalar()
    return sorted(depths, key=lambda item: item.channel), standings(connection), revision


def ledger_of(cameras: list[CameraStanding]) -> LedgerBalance:
    totals = [camera.totals for camera in cameras]
    names = ("captured", "inspected", "shed", "quarantined", "lost")
    sums = {name: sum(getattr(item, name) for item in totals) for name in names}
    balanced = all(camera.in_flight >= 0 for camera in cameras)
    return LedgerBalance(**sums, in_flight=sum(camera.in_flight for camera in cameras), balanced=balanced)


async def lags(settings: Settings) -> list[GroupLag] | None:
    """Of each pool's workers and of the sinks. None: the broker does not answer, or refuses the log-in."""
    groups = [(settings.worker_group(pool), settings.pool_topic(pool)) for pool in settings.pools]
    groups.append((settings.sink_group, settings.kafka.inspections_topic))
    try:
        found = await asyncio.gather(*(group_lag(settings.kafka, *group, timeout_s=BROKER_S) for group in groups))
    except ConfigError:
        return None
    if any(lag is None for lag in found):
        return None
    return [
        GroupLag(
            group=group,
            topic=topic,
            records=sum(item.records for item in lag or ()),
            seconds=round(max((item.seconds for item in lag or ()), default=0.0), 1),
        )
        for (group, topic), lag in zip(groups, found, strict=True)
    ]


def rooms(settings: Settings, news: SystemNews, now_s: float) -> list[DiskRoom]:
    """The disks of the store and of the evidence, where they are this host's own. Blocks."""
    file = sqlite_file(settings.sinks.store.get_secret_value())
    url = settings.sinks.evidence.url
    places = {"store": file.parent if file else None, "evidence": None if "://" in url else Path(url)}
    found = []
    for what, place in places.items():
        there = None if place is None else next((folder for folder in (place, *place.parents) if folder.exists()), None)
        if there is None:
            continue
        usage = shutil.disk_usage(there)
        first_s, first_free = news.disks.setdefault(what, (now_s, usage.free))
        taken, elapsed_s = first_free - usage.free, now_s - first_s
        full_in_s = usage.free * elapsed_s / taken if taken > 0 and elapsed_s > 60 else None
        found.append(DiskRoom(what=what, free_bytes=usage.free, total_bytes=usage.total, full_in_s=full_in_s))
    return found


def shown(latency: MinuteLatency) -> LatencyView:
    return LatencyView(
        at=latency.at,
        frames=latency.frames,
        p50_s=latency.p50_s,
        p95_s=latency.p95_s,
        p99_s=latency.p99_s,
        batch=round(latency.batch, 1),
    )


def system_view(news: SystemNews, now: datetime) -> SystemView:
    """The newest of everything."""
    five, hour = news.latencies.over(now, 5), news.latencies.over(now, 60)
    models = sorted(news.latencies.models.items(), key=lambda item: item[1], reverse=True)
    newest = {
        "at": now,
        "last_5_minutes": None if five is None else shown(five),
        "last_hour": None if hour is None else shown(hour),
        "minutes": [shown(item) for item in news.latencies.minutes()],
        "backlogs": news.backlogs.minutes(),
        "models": [ModelInService(digest=key[0], runtime=key[1], last_at=at) for key, at in models],
    }
    return (news.view or NOT_YET).model_copy(update=newest)


NOT_YET = SystemView(
    at=datetime.fromtimestamp(0).astimezone(),
    measured_at=None,
    version=__version__,
    schema_revision=None,
    broker=None,
    lags=[],
    outbox=[],
    disks=[],
    ledger=None,
    models=[],
    processes=[],
    last_5_minutes=None,
    last_hour=None,
    minutes=[],
    backlogs=[],
)
