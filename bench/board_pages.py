"""How long the board's pages take on a store of ten million parts and a million defects, on SQLite or PostgreSQL.

    python -m bench.board_pages sqlite:////tmp/big/andon.db --parts 10000000 --defects 1000000
    python -m bench.board_pages postgresql+psycopg://andon:...@127.0.0.1/andon

Fills the store once (minutes; a store that has parts already is left as it is), then asks each page several times.
The rows are made in SQL, as sinks would have written them over 30 days, with the sums by which pages read them.
"""

# ruff: noqa: S608  # every statement is made of numbers and of texts of this file
import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from sqlalchemy import Connection, create_engine, func, select, text

from andon.messages import Box, Defect, PartVerdict
from sinks.store import tables
from sinks.store.database import opened
from tests.board import a_board

DAYS = 30
CAMERAS = 40
END = datetime(2026, 3, 31, tzinfo=UTC)
START = END - timedelta(days=DAYS)
ROUNDS = 15


@dataclass(frozen=True, slots=True)
class Timing:
    page: str
    first_ms: float
    median_ms: float
    worst_ms: float


def fill(url: str, parts: int, defects: int) -> None:
    """Does nothing where there are parts."""
    engine = create_engine(url)
    with engine.begin() as connection:
        if connection.execute(select(tables.parts.c.part_id).limit(1)).first() is not None:
            return
        sqlite = connection.dialect.name == "sqlite"
        for statement in _statements(parts, defects, sqlite=sqlite):
            connection.execute(text(statement))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("analyze"))
    engine.dispose()


def _statements(parts: int, defects: int, *, sqlite: bool) -> Iterator[str]:
    numbers = _numbers(parts, sqlite=sqlite)
    moment = _moment(parts, sqlite=sqlite)
    part, defect = _part_json(), _defect_json()
    camera = f"'press-' || (i % {CAMERAS})"
    name = f"{camera} || '/s/' || i || '/x-1'"
    yield f"""{numbers} insert into parts (part_id, camera_id, session, label, verdict, defects, first_frame,
        last_frame, frames, at, event)
        select 'part-' || i, {camera}, 's', 'part', case when i % 50 = 0 then 'reject' when i % 97 = 0 then 'unknown'
        else 'pass' end, case when i % 50 = 0 then 1 else 0 end, 'f', 'f', 6, {moment}, {_quoted(part)} from n"""
    numbers, moment = _numbers(defects, sqlite=sqlite), _moment(defects, sqlite=sqlite)
    label = "case i % 7 when 0 then 'crack' when 1 then 'dent' else 'scratch' end"
    severity = "case i % 7 when 0 then 'critical' when 1 then 'minor' else 'major' end"
    yield f"""{numbers} insert into defects (defect_id, camera_id, session, label, severity, transition, confidence,
        opened_at, changed_at, part_id, latest)
        select {name}, {camera}, 's', {label}, {severity}, 'closed', 0.9, {moment}, {moment},
         'part-' || (i * 10), replace({_quoted(defect)}, 'NUMBER', '' || i) from n"""
    yield f"""{numbers} insert into defect_events (event_id, defect_id, at, event)
        select {name} || '/opened', {name}, {moment}, replace({_quoted(defect)}, 'NUMBER', '' || i) from n"""
    quarter = (
        "cast(strftime('%s', {0}) as integer) / 900" if sqlite else "cast(extract(epoch from {0}) / 900 as integer)"
    )
    yield f"""insert into quarters (camera_id, quarter, inspected, passed, rejected, unknown)
        select camera_id, {quarter.format("at")}, count(*) * 6, sum(case verdict when 'pass' then 1 else 0 end),
        sum(case verdict when 'reject' then 1 else 0 end), sum(case verdict when 'unknown' then 1 else 0 end)
        from parts group by 1, 2"""
    yield f"""insert into quarter_classes (camera_id, label, quarter, rejects, defects)
        select camera_id, label, {quarter.format("opened_at")}, count(*), count(*) from defects group by 1, 2, 3"""
    for number in range(CAMERAS):
        state = _state(sqlite=sqlite)
        yield f"insert into cameras (camera_id, partition, state) values ('press-{number}', 0, {state})"


def _numbers(count: int, *, sqlite: bool) -> str:
    if sqlite:
        return f"with recursive n(i) as (select 1 union all select i + 1 from n where i < {count})"
    return f"with n(i) as (select generate_series(1, {count}))"


def _moment(count: int, *, sqlite: bool) -> str:
    """Evenly over the days; SQLite keeps moments as SQLAlchemy writes them."""
    step_s = DAYS * 86_400 / count
    if sqlite:
        return f"strftime('%Y-%m-%d %H:%M:%f000', {START.timestamp()} + i * {step_s}, 'unixepoch')"
    return f"to_timestamp({START.timestamp()} + i * {step_s})"


def _state(*, sqlite: bool) -> str:
    state = json.dumps({"watch": {}, "totals": {}, "face": {}})
    return f"cast('{state}' as blob)" if sqlite else f"convert_to('{state}', 'UTF8')"


def _quoted(content: str) -> str:
    return "'" + content.replace("'", "''").replace(":", "\\:") + "'"


def _defect_json() -> str:
    """Of the size that a real one has."""
    frame = "press-1/20260301T060000.000000Z.1/NUMBER"
    return Defect(
        event_id=f"{frame}/x-1/opened",
        defect_id="press-1/s/NUMBER/x-1",
        transition="opened",
        camera_id="press-1",
        session="s",
        label="scratch",
        severity="major",
        confidence=0.9,
        box=Box(x1=10.5, y1=20.5, x2=30.5, y2=40.5),
        first_frame=frame,
        best_frame=frame,
        last_frame=frame,
        frames=4,
        opened_at=START,
        at=START,
        evidence=f"andon-data/evidence/press-1/2026-03-01/{frame}.jpg",
    ).model_dump_json()


def _part_json() -> str:
    frame = "press-1/20260301T060000.000000Z.1/1"
    return PartVerdict(
        event_id=f"{frame}/part-1/verdict",
        part_id=f"{frame}/part-1",
        verdict="pass",
        camera_id="press-1",
        session="s",
        label="part",
        first_frame=frame,
        last_frame=frame,
        frames=6,
        at=START,
    ).model_dump_json()


def addresses(connection: Connection) -> Sequence[str]:
    """The pages with the most to read, and deep in the past."""
    middle = (START + (END - START) / 2).isoformat().replace("+00:00", "Z")
    newest = connection.execute(select(func.max(tables.defects.c.defect_id))).scalar_one()
    day = (START + timedelta(days=DAYS // 2)).date()
    return (
        "/evidence",
        f"/evidence?end={middle}",
        "/evidence?label=crack",
        "/evidence?camera=press-3",
        "/evidence?camera=press-3&label=dent",
        "/evidence?severity=critical&camera=press-7",
        "/evidence?camera=press-3&label=none",
        "/evidence?part=part-500",
        f"/evidence/{newest}",
        f"/shift?shift=day&date={day}",
        f"/shift?shift=day&date={day}&camera=press-3",
        f"/api/v1/defects?end={middle}&limit=200",
        f"/api/v1/shift?shift=day&date={day}",
        "/",
        "/alarms",
    )


async def measure(url: str, rounds: int = ROUNDS) -> list[Timing]:
    with tempfile.TemporaryDirectory() as folder:
        settings = {"sinks": {"store": url, "evidence": {"url": f"{folder}/evidence"}}}
        async with a_board(Path(folder), settings) as board:
            found = await board.board.store.read(addresses)
            async with board.client(timeout=60.0) as client:
                return [await _timed(client, page, rounds) for page in found]


async def _timed(client: httpx.AsyncClient, page: str, rounds: int) -> Timing:
    """The whole answer, in the process of the board: its first byte can't come later."""
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        answer = await client.get(page)
        times.append((time.perf_counter() - begun) * 1000)
        if answer.status_code != 200:
            raise SystemExit(f"{page}: {answer.status_code}")
    return Timing(page, *(round(value, 1) for value in (times[0], statistics.median(times), max(times[1:]))))


async def _run(url: str, parts: int, defects: int) -> None:
    await (await opened(url)).close()
    begun = time.perf_counter()
    fill(url, parts, defects)
    print(f"filled in {time.perf_counter() - begun:.0f} s")  # noqa: T201  # a tool for the terminal
    for timing in await measure(url):
        print(json.dumps(asdict(timing)), flush=True)  # noqa: T201


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--parts", type=int, default=10_000_000)
    parser.add_argument("--defects", type=int, default=1_000_000)
    given = parser.parse_args()
    asyncio.run(_run(given.url, given.parts, given.defects))


if __name__ == "__main__":
    main()
