"""A short soak: faults hit the line, and nothing is lost, counted twice or alerted twice."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import kafka_server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]
ROOT = Path(__file__).parents[2]
MINUTES = 0.5
"""With the line's start and end a run takes a minute."""
ANYWHERE = ("kill_sink", "kill_worker", "empty_redis", "freeze_broker")
"""No ingester is killed: the frames in its memory would be lost, and this test allows no loss."""
SEED = "9"
"""Its schedule begins with the broker, where that can be killed, and the sink: a busy machine gets no further."""
OF_BROKER = {"embedded": ANYWHERE, "apache": (*ANYWHERE, "kill_broker")}


@pytest.mark.parametrize("broker", OF_BROKER)
def test_a_line_under_repeated_faults_loses_nothing_and_alerts_once(broker: str, tmp_path: Path) -> None:
    environ = dict(os.environ)
    if broker == "embedded":
        environ.pop("ANDON_KAFKA_HOME", None)
    elif reason := kafka_server.missing():
        pytest.skip(reason)
    only = [word for kind in OF_BROKER[broker] for word in ("--only", kind)]
    options = ["--seed", SEED, "--minutes", str(MINUTES), "--json", str(tmp_path / "soak.json")]
    folder = ["--dir", str(tmp_path / "soak")]
    command = [sys.executable, "-m", "tests.soak", *options, *folder, *only]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=390, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "soak.json").read_text())
    assert result["complaints"] == []
    assert result["rows"]
    assert all(row["recovery_s"] is not None for row in result["rows"])
    ledger = result["ledger"]
    assert (ledger["lost"], ledger["duplicates"], ledger["in_flight"]) == (0, 0, 0)
    assert ledger["captured"] == ledger["inspected"] + ledger["shed"] + ledger["quarantined"] > 0
    events = result["events"]
    assert events.pop("raised") > 0
    assert set(events.values()) == {0}
