"""`andon store prune`."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from sinks.channels.files import Files
from sinks.commands.store import store as command
from sinks.store.database import opened
from sinks.store.stored import Opening, Position
from tests.integration.sinks.test_store_year import HERE, Year

pytestmark = pytest.mark.integration


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A line whose store has grown for 40 days that ended long ago, and one old picture."""
    sinks = {"store": f"sqlite:///{tmp_path}/andon.db", "evidence": {"url": str(tmp_path / "evidence")}}
    path = tmp_path / "line.yaml"
    path.write_text(yaml.safe_dump({"sinks": sinks}))
    asyncio.run(_grow(tmp_path))
    Files(str(tmp_path / "evidence")).write("press-1/2020-01-01/1.jpg", bytes(100))
    return path


async def _grow(folder: Path) -> None:
    database = await opened(f"sqlite:///{folder}/andon.db")
    try:
        year = Year(database)
        year.clock.advance((datetime(2020, 1, 1, tzinfo=UTC) - year.clock.now()).total_seconds())
        await year.store.begin([Opening(HERE, Position(1, "", 0), year.clock.now(), "the first")])
        await year.live(40, prune=False)
    finally:
        await database.close()


def run(config: Path, *options: str) -> dict[str, Any]:
    done = CliRunner().invoke(command, ["prune", "-c", str(config), "--json", *options], catch_exceptions=False)
    assert done.exit_code == 0
    result: dict[str, Any] = json.loads(done.output)
    return result


def test_a_dry_run_shows_what_goes_and_the_next_run_deletes_it(config: Path) -> None:
    picture = config.parent / "evidence" / "press-1" / "2020-01-01" / "1.jpg"
    counted = run(config, "--dry-run")
    assert counted["rows"] == {
        "parts": 1600,
        "defects": 240,
        "defect_events": 240,
        "spans": 40,
        "sessions": 39,
        "epochs": 0,
        "quarters": 40,
        "quarter_classes": 0,
        "labels": 0,
        "alarms": 0,
        "alarm_events": 0,
    }
    assert counted["evidence"] == {"files": 1, "bytes": 100}
    assert picture.exists()
    deleted = run(config)
    assert {**deleted, "dry_run": True} == counted
    assert not picture.exists()
    assert sum(run(config)["rows"].values()) == 0


def test_people_read_a_table(config: Path) -> None:
    done = CliRunner().invoke(command, ["prune", "-c", str(config), "--dry-run"], catch_exceptions=False)
    assert "Would be deleted" in done.output
    for words in (("parts", "30 days", "1600"), ("sessions", "365 days", "39"), ("evidence", "90 days", "100")):
        (line,) = [line for line in done.output.splitlines() if words[0] in line]
        assert all(word in line for word in words)
