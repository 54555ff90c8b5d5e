import json
from pathlib import Path
from typing import cast

import pytest
from click.testing import CliRunner

from deploy.local.soak import command
from deploy.local.soak.course import Soak
from deploy.local.soak.verdict import Outcome


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The complaints that a soak, which is not performed here, shall end with."""
    complaints: list[str] = []

    async def perform(_soak: Soak, outcome: Outcome) -> bool:
        outcome.complaints += complaints
        return True

    monkeypatch.setattr(command, "perform", perform)
    return complaints


async def ended(json_file: Path) -> int:
    return await command._performed(cast(Soak, None), Outcome(1, "embedded"), json_file)


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
    assert "the embedded broker forgets everything" in str(done.exception)
