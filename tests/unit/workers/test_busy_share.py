import pytest

from workers.busy_share import BUSY, SPAN_S, SPARE, BusyShare


def run(share: BusyShare, of_a_second: float, since_s: float, seconds: float = 20.0) -> float:
    """It computes for a part of each tenth of a second. Returns when that ends."""
    for step in range(round(10 * seconds)):
        began_s = since_s + step / 10
        share.note(began_s, computes=True)
        share.note(began_s + of_a_second / 10, computes=False)
    return since_s + seconds


def test_a_detector_that_has_not_begun_is_not_busy() -> None:
    assert BusyShare().value(1000.0) == 0.0
    assert not BusyShare().is_busy(1000.0)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_the_share_is_that_of_the_time_in_which_it_computes(part: float) -> None:
    share = BusyShare()
    assert share.value(run(share, part, 5.0)) == pytest.approx(part, abs=0.05)


def test_one_long_batch_makes_it_busy_and_a_pause_ends_that() -> None:
    share = BusyShare()
    share.note(0.0, computes=True)
    assert not share.is_busy(0.5 * SPAN_S)
    assert share.is_busy(3 * SPAN_S)
    share.note(3 * SPAN_S, computes=False)
    assert share.is_busy(3 * SPAN_S)
    assert not share.is_busy(6 * SPAN_S)


def test_it_stays_busy_while_gathering_makes_it_less_so() -> None:
    between, share = (SPARE + BUSY) / 2, BusyShare()
    end_s = run(share, between, 0.0)
    assert not share.is_busy(end_s)
    end_s = run(share, 1.0, end_s)
    assert share.is_busy(end_s)
    end_s = run(share, between, end_s)
    assert share.is_busy(end_s)
    assert not share.is_busy(run(share, SPARE / 2, end_s))
