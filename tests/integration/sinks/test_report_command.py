"""`andon report` and `andon labels export`, on stores as sinks write them."""

import asyncio
import csv
import io
import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from andon.stream.offsets import Partition
from sinks.board.queries.shift import by_camera, by_class, by_quarter, counts, spans
from sinks.board.queries.standing import standings
from sinks.commands.report import report
from sinks.judgement.quarters import FrameCounts, QuarterFrames, quarter_of
from sinks.judgement.spans import Span
from sinks.store.reading import StoreReader
from sinks.store.store import Store
from sinks.store.stored import Batch, Opening, Position
from tests.fakes import START
from tests.outbox import a_defect, a_part
from tests.unit.sinks.judgement.frames import Steps, crossing

pytestmark = pytest.mark.integration
HERE = Partition("andon.inspections", 3)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


async def fill(url: str) -> None:
    store = await Store.open(url)
    await store.begin([Opening(HERE, Position(1, "", 0), START, "the first")])
    verdicts = [a_part(number, "pass", at=at(number / 10)) for number in range(10)]
    verdicts += [a_part(20, "reject", at=at(0.1)), a_part(21, "unknown", "press-9", at=at(0.1))]
    silences = [Span("press-1", at(hour), at(hour + 0.5), "offline", True) for hour in (-2, 0.25, 30)]
    frames = [QuarterFrames("press-1", quarter_of(START), FrameCounts(90, 4, 3, 2, 1))]
    batch = Batch(
        HERE,
        Position(1, "", 0),
        1,
        START,
        states=(Steps().take(crossing(range(2))).camera,),
        events=(a_defect(1),),
        verdicts=tuple(verdicts),
        spans=(*silences, Span("press-1", at(-0.25), at(0.1), "offline", True)),
        frames=frames,
    )
    assert await store.write([batch]) == frozenset()
    await store.close()


async def test_what_is_read_of_a_stretch_of_time_is_what_lies_in_it(store_url: str) -> None:
    await fill(store_url)
    reader = await StoreReader.open(store_url)
    try:
        found = await reader.run(
            lambda c: (
                counts(c, START, at(24)),
                counts(c, START, at(0.5)),
                counts(c, START, at(24), ["press-9"]),
                by_quarter(c, START, at(24)),
                by_camera(c, START, at(24)),
                by_class(c, START, at(24)),
                spans(c, START, at(24)),
                spans(c, START, at(24), ["press-9"]),
                standings(c),
            )
        )
    finally:
        await reader.close()
    day, half_hour, other, quarters, cameras, classes, silences, none, known = found
    assert (day.passed, day.rejected, day.unknown, half_hour.passed, other.parts) == (10, 1, 1, 5, 1)
    assert sum(item.parts for _, item in quarters) == 12
    assert [(item.camera_id, item.frames, item.unfit) for item in cameras] == [
        ("press-1", 96, 4),
        ("press-3", 0, 0),
        ("press-9", 0, 0),
    ]
    assert [(item.label, item.rejects, item.defects) for item in classes] == [("scratch", 1, 1)]
    assert [item.started_at for item in silences] == [at(-0.25), at(0.25)]
    assert none == []
    (camera,) = known
    assert (camera.camera_id, camera.totals.inspected, camera.in_flight) == ("press-1", 2, 0)
    assert camera.delivery.frame_at is not None


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "line.yaml"
    url = f"sqlite:///{tmp_path}/andon.db"
    shifts = {"early": {"start": "06:00", "end": "14:00"}, "late": {"start": "14:00", "end": "22:00"}}
    board = {"time_zone": "Europe/Berlin", "shifts": shifts}
    path.write_text(yaml.safe_dump({"line": "press hall", "sinks": {"store": url}, "board": board}))
    asyncio.run(fill(url))
    return path


def run(config: Path, *options: str) -> str:
    done = CliRunner().invoke(report, ["-c", str(config), *options], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_a_shift_is_the_same_in_every_format(config: Path, tmp_path: Path) -> None:
    assert date(2026, 3, 1) == START.date()
    which = ("--shift", "early", "--date", "2026-03-01")
    shift: dict[str, Any] = json.loads(run(config, *which, "--format", "json"))
    assert shift["counts"] == {"parts": 12, "passed": 10, "rejected": 1, "unknown": 1, "yield_share": 10 / 12}
    assert [item["label"] for item in shift["classes"]] == ["scratch"]
    assert shift["account"]["inspected"] == 90
    rows = list(csv.reader(io.StringIO(run(config, *which, "--format", "csv"))))
    assert ["parts", "all", "passed", "10"] in rows
    page = tmp_path / "shift.html"
    assert run(config, *which, "-o", str(page), "--language", "de") == ""
    html = page.read_text("utf-8")
    assert '<html lang="de">' in html
    assert "83,3" in html
    assert "<script" not in html
    assert ".figures > div" in html


def test_a_shift_that_there_is_not_is_one_line(config: Path) -> None:
    done = CliRunner().invoke(report, ["-c", str(config), "--shift", "noon"])
    assert "there is no shift 'noon'; the shifts are: early, late" in str(done.exception)
    done = CliRunner().invoke(report, ["-c", str(config), "--camera", "press-77"])
    assert "press-77" in str(done.exception)
