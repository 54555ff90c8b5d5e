"""The rate at which a topic grows."""

import pytest

from bench.harness.topic_counter import Sample, rate_per_s


def test_the_rate_is_records_in_all_partitions_a_second() -> None:
    samples = [Sample(second, (10 * second, 20 * second)) for second in range(10)]
    assert rate_per_s(samples) == pytest.approx(30)


def test_a_stall_does_not_move_the_rate() -> None:
    totals = [0, 50, 100, 150, 150, 250, 300, 350, 400]
    assert rate_per_s([Sample(second, (total,)) for second, total in enumerate(totals)]) == pytest.approx(50)
