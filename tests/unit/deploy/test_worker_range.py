"""What `--workers` takes."""

import click
import pytest

from deploy.local.worker_range import WorkerRange


@pytest.mark.parametrize(
    ("text", "workers"), [("1", (1, None)), ("12", (12, None)), ("1..4", (1, 4)), ("0..4", (0, 4)), ("2..2", (2, 2))]
)
def test_a_number_is_fixed_and_a_range_follows_the_lag(text: str, workers: tuple[int, int | None]) -> None:
    assert WorkerRange().convert(text, None, None) == workers


@pytest.mark.parametrize("text", ["0", "0..0", "4..1", "1..", "..4", "-1", "1-4", "many", "1.5", "99999"])
def test_all_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"1\.\.4|0\.\.4|the most"):
        WorkerRange().convert(text, None, None)
