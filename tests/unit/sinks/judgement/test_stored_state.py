"""A database keeps its states through an update: JSON that an earlier version stored is read, and goes on."""

import json
from pathlib import Path

import pytest

from sinks.judgement.ledger import SessionLedger
from sinks.judgement.state import CameraAccount, from_bytes, to_bytes
from sinks.judgement.step import AccountMessage
from tests.unit.sinks.judgement.belt import part_rules
from tests.unit.sinks.judgement.frames import DEFECT_RULES, Steps, detection, inspected, status

STORED = Path(__file__).parent / "stored"
"""Written by the version before fields were renamed: a camera amid defects, and one amid parts."""
RULES = {"plain": DEFECT_RULES, "parts": part_rules()}


def stored_account(name: str) -> CameraAccount:
    stored = json.loads((STORED / f"{name}.json").read_text())
    ledgers = {name: SessionLedger.from_bytes(json.dumps(item).encode()) for name, item in stored["ledgers"].items()}
    return CameraAccount("press-1", from_bytes(json.dumps(stored["state"]).encode()), ledgers)


@pytest.mark.parametrize("name", RULES)
def test_a_state_of_the_earlier_version_is_stored_again_as_it_was(name: str) -> None:
    stored = json.loads((STORED / f"{name}.json").read_text())
    account = stored_account(name)
    assert json.loads(to_bytes(account.state)) == stored["state"]
    assert {name: json.loads(ledger.to_bytes()) for name, ledger in account.sessions.items()} == stored["ledgers"]


def test_a_candidate_of_the_earlier_version_is_confirmed_and_its_open_defect_is_closed() -> None:
    frames: list[AccountMessage] = [inspected(seq, detection(132.0 + 16 * (seq - 48), 50.0)) for seq in (48, 49)]
    steps = Steps(stored_account("plain")).take([*frames, status(50, final=True)])
    assert steps.ids == [
        "press-1/s1/45/scratch-2/opened",
        "press-1/s1/0/scratch-1/closed",
        "press-1/s1/45/scratch-2/closed",
    ]
    totals = steps.camera.state.totals
    assert (totals.captured, totals.inspected, totals.lost) == (63, 43, 11)


def test_parts_of_the_earlier_version_have_their_verdicts() -> None:
    steps = Steps(stored_account("parts")).take([status(30, final=True)], RULES["parts"])
    assert [(part.part_id, part.verdict, len(part.defects)) for part in steps.verdicts] == [
        ("press-1/s1/18/part-1", "reject", 1),
        ("press-1/s1/22/part-1", "unknown", 0),
        ("press-1/s1/25/part-1", "reject", 1),
        ("press-1/s1/29/part-1", "unknown", 0),
    ]
    assert steps.ids[0] == "press-1/s1/26/dent-1/opened"
