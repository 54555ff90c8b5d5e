"""Each part has one verdict, at any speed; no result is never a pass."""

from collections.abc import Iterable

import pytest

from sinks.step import Known, Policy
from tests.unit.sinks.belt import Belt, a_row, policy
from tests.unit.sinks.frames import Stepped

SPEEDS = ((30, 10.0), (60, 16.0), (120, 35.0), (240, 55.0), (240, 70.0), (240, 90.0))
"""Parts a minute, and pixels a frame, of pictures that are 640 px wide."""


def told(records: Iterable[Known], rules: Policy | None = None) -> Stepped:
    return Stepped().take(list(records), rules or policy())


@pytest.mark.parametrize(("per_minute", "step_px"), SPEEDS)
@pytest.mark.parametrize("seed", [2, 3])
def test_at_any_speed_each_part_has_its_verdict_and_each_defect_is_one(
    per_minute: float, step_px: float, seed: int
) -> None:
    """Small defects move six times their own size a frame; a detector misses every fifth one and jitters."""
    belt = a_row(30, per_minute, Belt((), step_px, 0, miss=0.2, miss_part=0.02, jitter_px=2.0, seed=seed))
    seen = told(belt.inspections())
    due = ["reject" if piece.flaws else "pass" for piece in belt.pieces]
    assert [verdict.verdict for verdict in seen.verdicts] == due
    assert [len(verdict.defects) for verdict in seen.verdicts if verdict.verdict == "reject"] == [
        len(piece.flaws) for piece in belt.pieces if piece.flaws
    ]
