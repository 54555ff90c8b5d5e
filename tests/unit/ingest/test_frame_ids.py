"""How many pictures a gap in the frame ids stands for."""

import pytest

from ingest.sources.frame_ids import MOST_MISSING, FrameIds, RestartedError


def missing(*ids: int) -> list[int]:
    counted = FrameIds()
    return [counted.missing_before(item) for item in ids]


def test_ids_that_follow_each_other_have_nothing_between_them() -> None:
    assert missing(7, 8, 9) == [0, 0, 0]


def test_a_gap_is_as_many_pictures_as_it_is_wide() -> None:
    assert missing(1, 2, 6, 7, 9) == [0, 0, 3, 0, 1]


def test_a_count_of_16_bits_returns_to_1_without_a_loss() -> None:
    assert missing(65_534, 65_535, 1, 2) == [0, 0, 0, 0]


def test_a_gap_may_lie_across_the_return_to_1() -> None:
    assert missing(65_533, 2) == [0, 3]


def test_a_count_of_64_bits_goes_on_past_16() -> None:
    assert missing(65_534, 65_535, 65_536, 65_539) == [0, 0, 0, 2]


def test_a_picture_whose_id_did_not_arrive_fills_a_gap() -> None:
    counted = FrameIds()
    counted.missing_before(7)
    counted.unknown()
    assert counted.missing_before(10) == 1
    counted.unknown()
    assert counted.missing_before(12) == 0


def test_a_camera_that_repeats_its_id_loses_nothing() -> None:
    assert missing(0, 0, 0) == [0, 0, 0]


@pytest.mark.parametrize("ids", [(5_000, 1), (100_000, 3), (1, MOST_MISSING + 2)])
def test_a_camera_that_counts_anew_is_no_loss_of_thousands(ids: tuple[int, int]) -> None:
    with pytest.raises(RestartedError, match=f"from {ids[0]} to {ids[1]}"):
        missing(*ids)
