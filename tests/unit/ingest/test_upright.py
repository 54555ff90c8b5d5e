"""How a stream's display matrix turns its pictures."""

import itertools
import struct

import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.sources.upright import UPRIGHT, Orientation, orientation, upright

ONE = 1 << 16


def matrix(a: float, b: float, c: float, d: float) -> bytes:
    return struct.pack("=9i", *(int(n * ONE) for n in (a, b, 0, c, d, 0, 0, 0, 1)))


def numbered() -> NDArray[np.uint8]:
    return np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)


@pytest.mark.parametrize(
    ("abcd", "quarters"), [((1, 0, 0, 1), 0), ((0, 1, -1, 0), 1), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 3)]
)
def test_a_turned_picture_is_shown_upright(abcd: tuple[int, int, int, int], quarters: int) -> None:
    found = orientation(matrix(*abcd))
    assert found is not None
    assert (found.degrees, found.mirrored) == (90 * quarters, False)
    assert (upright(numbered(), found) == np.rot90(numbered(), -quarters)).all()


@pytest.mark.parametrize(
    ("abcd", "quarters"), [((-1, 0, 0, 1), 0), ((0, -1, -1, 0), 1), ((1, 0, 0, -1), 2), ((0, 1, 1, 0), 3)]
)
def test_a_mirrored_picture_is_mirrored_back_and_then_turned(abcd: tuple[int, int, int, int], quarters: int) -> None:
    found = orientation(matrix(*abcd))
    assert found is not None
    assert (found.degrees, found.mirrored) == (90 * quarters, True)
    assert (upright(numbered(), found) == np.rot90(numbered()[:, ::-1], -quarters)).all()


def test_every_pixel_goes_where_the_matrix_sends_it() -> None:
    for signs, swaps in itertools.product(itertools.product((1, -1), repeat=2), (False, True)):
        turn = Orientation(0, signs[0], signs[1], 0) if swaps else Orientation(signs[0], 0, 0, signs[1])
        shown = upright(numbered(), turn)
        for y, x in np.ndindex(2, 3):
            right, down = turn.a * x + turn.c * y, turn.b * x + turn.d * y
            # a mirrored axis counts from the far side
            row = down + (shown.shape[0] - 1) * (turn.b + turn.d < 0)
            column = right + (shown.shape[1] - 1) * (turn.a + turn.c < 0)
            assert (shown[row, column] == numbered()[y, x]).all()


def test_a_picture_that_is_upright_is_not_copied() -> None:
    picture = numbered()
    assert upright(picture, UPRIGHT) is picture


def test_a_turn_by_no_right_angle_is_none() -> None:
    assert orientation(matrix(0.7, 0.7, -0.7, 0.7)) is None
    assert orientation(matrix(0, 0, 0, 0)) is None
