"""How far a candidate's detections agree with its source's."""

import numpy as np
import pytest

from workers.detector import Detections
from workers.tuning.agreement import compare


def found(*rows: tuple[float, float, float, float, float, int]) -> Detections:
    """Of x1, y1, x2, y2, confidence, class."""
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Detections(table[:, :4].astype(np.float32), table[:, 4].astype(np.float32), table[:, 5].astype(np.int64))


BOX = (10.0, 10.0, 110.0, 110.0, 0.8, 1)


def share(source: Detections, served: Detections) -> tuple[int, float]:
    agreement = compare([source], [served], 0.4)
    return agreement.confident, agreement.share


def test_the_same_detections_agree() -> None:
    assert share(found(BOX), found(BOX)) == (2, 1.0)


def test_nothing_confident_is_no_disagreement_but_counts_nothing() -> None:
    assert share(found((*BOX[:4], 0.45, 1)), found()) == (0, 1.0)


@pytest.mark.parametrize(
    "other",
    [
        (30.0, 10.0, 130.0, 110.0, 0.8, 1),  # an overlap of 0.67
        (*BOX[:4], 0.65, 1),  # 0.15 less confident
        (*BOX[:4], 0.8, 2),  # another class
    ],
)
def test_a_detection_that_moved_changed_or_lost_confidence_disagrees_in_both(
    other: tuple[float, float, float, float, float, int],
) -> None:
    assert share(found(BOX), found(other)) == (2, 0.0)


def test_a_detection_that_only_one_has_counts_against_it() -> None:
    extra = (200.0, 200.0, 240.0, 260.0, 0.7, 0)
    assert share(found(BOX), found(BOX, extra)) == (3, 2 / 3)
    assert share(found(BOX, extra), found(BOX)) == (3, 2 / 3)


def test_what_is_confident_in_one_may_be_a_little_less_so_in_the_other() -> None:
    assert share(found((*BOX[:4], 0.51, 1)), found((*BOX[:4], 0.42, 1))) == (1, 1.0)
