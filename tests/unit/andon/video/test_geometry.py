import pytest

from andon.errors import PoisonError
from andon.video.geometry import PicturePlan, plan


def test_without_settings_the_whole_picture_is_published() -> None:
    whole = plan(1920, 1080)
    assert whole == PicturePlan(1, (0, 0, 1920, 1080), 1920, 1080)
    assert not whole.shrinks


def test_a_picture_is_turned_then_cropped_then_shrunk() -> None:
    assert plan(1920, 1080, (0, 100, 1080, 800), 540, turn=6) == PicturePlan(6, (0, 100, 1080, 800), 540, 400)


def test_a_small_picture_is_not_enlarged() -> None:
    assert not plan(320, 240, longest_side=640).shrinks


@pytest.mark.parametrize("roi", [(0, 0, 1921, 10), (1900, 0, 21, 10), (0, 1000, 10, 81)])
def test_a_roi_outside_the_picture_says_so(roi: tuple[int, int, int, int]) -> None:
    with pytest.raises(PoisonError, match="lies outside the picture of 1920x1080: correct the camera's roi"):
        plan(1920, 1080, roi)


def test_no_side_shrinks_to_nothing() -> None:
    assert plan(10_000, 1, longest_side=32) == PicturePlan(1, (0, 0, 10_000, 1), 32, 1)
