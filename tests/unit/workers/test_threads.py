"""How many threads a worker decodes on."""

import pytest

from workers.threads import MOST_DECODERS, decoders


@pytest.mark.parametrize(("cores", "threads"), [(1, 2), (2, 2), (8, 8), (96, MOST_DECODERS)])
def test_decoders_follow_the_cores_within_bounds(cores: int, threads: int) -> None:
    assert decoders(None, cores) == threads


def test_who_asks_for_a_number_gets_it() -> None:
    assert decoders(1, 8) == 1
    assert decoders(40, 8) == 40
