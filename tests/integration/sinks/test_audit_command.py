"""`andon audit` on a store of a line that is stopped, and on one that is no store."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from andon.cli import main
from andon.stream.lag import PartitionLag
from andon.stream.offsets import Partition
from sinks.judgement.step import AccountMessage
from sinks.store.store import Store
from sinks.store.stored import Batch, Opening, Position
from tests.fakes import START
from tests.kafka_server import free_port
from tests.unit.sinks.judgement.frames import Steps, inspected, quarantined, shed, status

pytestmark = pytest.mark.integration
HERE = Partition("andon.inspections", 0)
BEGIN = Position(1, "", 0)
WHOLE: list[AccountMessage] = [
    *(inspected(seq) for seq in range(10)),
    shed(10, 12),
    quarantined(13),
    status(14, final=True, state="stopped"),
]


@pytest.fixture
def line(tmp_path: Path) -> Path:
    """A line.yaml whose broker is away."""
    path = tmp_path / "line.yaml"
    path.write_text(
        f"kafka: {{bootstrap_servers: '127.0.0.1:{free_port()}'}}\n"
        f"sinks: {{store: 'sqlite:///{tmp_path}/data/andon.db'}}\n"
    )
    return path


def account(line: Path, messages: list[AccountMessage]) -> None:
    async def write() -> None:
        store = await Store.open(f"sqlite:///{line.parent}/data/andon.db")
        await store.begin([Opening(HERE, BEGIN, START, "the first")])
        stepped = Steps().take(messages)
        await store.write([Batch(HERE, BEGIN, 1, START, states=(stepped.camera,), spans=stepped.spans)])
        await store.close()

    asyncio.run(write())


def audit(line: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["audit", "-c", str(line), *arguments])


def test_a_stopped_line_that_lost_nothing_exits_0(line: Path) -> None:
    account(line, WHOLE)
    result = audit(line, "--json")
    assert result.exit_code == 0, result.stderr
    report: dict[str, Any] = json.loads(result.stdout)
    assert report["ledger"] == {
        "captured": 14,
        "inspected": 10,
        "shed": 3,
        "quarantined": 1,
        "lost": 0,
        "in_flight": 0,
        "duplicates": 0,
    }
    assert report["balanced"] is True
    (camera,) = report["cameras"]
    assert (camera["camera"], camera["shed"], camera["quarantined"]) == (
        "press-1",
        {"mailbox_full": 3},
        {"undecodable": 1},
    )
    (span,) = report["spans"]
    assert (span["reason"], span["watched"], span["to"]) == ("stopped", False, None)


def test_a_lost_frame_exits_1_with_the_reason_in_one_line(line: Path) -> None:
    account(line, [*WHOLE[:5], *WHOLE[6:]])
    result = audit(line)
    assert result.exit_code == 1
    assert result.stderr == "andon audit: lost: press-1 1 missing\n"
    assert "1 missing" in result.stdout


def test_frames_not_accounted_for_are_in_flight_while_the_broker_does_not_answer(line: Path) -> None:
    account(line, [*WHOLE[:-1], status(20)])
    result = audit(line, "--json")
    ledger = json.loads(result.stdout)["ledger"]
    assert (ledger["in_flight"], ledger["lost"]) == (6, 0)
    assert "Kafka does not answer" in audit(line).stdout


def test_a_line_whose_broker_has_not_answered_for_long_stands_still(line: Path) -> None:
    account(line, [*WHOLE[:-1], status(20)])
    result = audit(line)
    assert result.exit_code == 1
    assert re.fullmatch(
        r"andon audit: stalled: press-1: no frame for \d+ s: the broker does not answer\n", result.stderr
    )


@pytest.mark.parametrize(("lag", "lost"), [(0, True), (7, False)])
def test_a_silent_ingesters_tail_is_lost_once_all_is_read(
    line: Path, monkeypatch: pytest.MonkeyPatch, *, lag: int, lost: bool
) -> None:
    async def known(_settings: object, _group: str, topic: str, **_: object) -> list[PartitionLag]:
        return [PartitionLag(topic, 0, 100, 100 + lag, 0.0)]

    monkeypatch.setattr("sinks.commands.audit.group_lag", known)
    account(line, [*WHOLE[:-1], status(20)])
    assert ("lost: press-1" in audit(line).stderr) == lost


def test_one_camera_can_be_asked_for(line: Path) -> None:
    account(line, WHOLE)
    assert audit(line, "--camera", "press-1").exit_code == 0
    unknown = audit(line, "--camera", "press-9")
    assert (unknown.exit_code, unknown.stderr) == (2, "andon: --camera press-9: the store has no such camera\n")


def test_a_line_that_never_ran_is_told_so_and_nothing_is_made(line: Path) -> None:
    result = audit(line)
    assert result.exit_code == 2
    assert "has `andon sink` run" in result.stderr
    assert not (line.parent / "data").exists()
