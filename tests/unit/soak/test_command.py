import json
from pathlib import Path
from typing import cast

import pytest
from click.testing import CliRunner

from tests.soak import __main__ as command
from tests.soak.soak import Soak
from tests.soak.verdict import SoakReport


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The complaints that the soak shall end with; it does not run here."""
    complaints: list[str] = []

    async def perform(_soak: Soak, outcome: SoakReport) -> bool:
        outcome.complaints += complaints
        return True

    monkeypatch.setattr(command, "perform", perform)
    return complaints


async def ended(json_file: Path) -> int:
    return await command._perform(cast(Soak, None), SoakReport(1, "embedded"), json_file)


async def test_a_soak_without_complaints_exits_0(ends: list[str], tmp_path: Path) -> None:
    assert await ended(tmp_path / "out.json") == 0


async def test_a_soak_with_a_complaint_exits_1_and_writes_it(ends: list[str], tmp_path: Path) -> None:
    ends.append("fault 3, kill_sink: 2 counted twice")
    assert await ended(tmp_path / "out.json") == 1
    assert json.loads((tmp_path / "out.json").read_text())["complaints"] == ends


def test_the_embedded_broker_is_not_killed(tmp_path: Path) -> None:
    done = CliRunner(env={"ANDON_KAFKA_HOME": None}).invoke(
        command.soak, ["--only", "kill_broker", "--dir", str(tmp_path / "soak")]
    )
    assert "the embedded broker keeps its log in memory" in str(done.exception)
