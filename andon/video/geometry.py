"""Which part of a camera's picture is inspected, and how large it becomes. Pure: workers, sinks and the board use it.

The camera's settings count in the upright picture, in this order: turn, crop to `roi`, shrink to `longest_side`.
"""

from dataclasses import dataclass

from andon.errors import PoisonError

UPRIGHT = 1
Region = tuple[int, int, int, int]
"""x, y, width and height in pixels."""


@dataclass(frozen=True, slots=True)
class PicturePlan:
    """From the decoded picture to the published one."""

    turn: int
    """How it is turned first, as Exif's orientation: 1 to 8."""
    crop: Region
    """In the upright picture."""
    width: int
    """Of the published picture, in pixels."""
    height: int

    @property
    def shrinks(self) -> bool:
        return (self.width, self.height) != self.crop[2:]


def plan(
    width: int, height: int, roi: Region | None = None, longest_side: int | None = None, turn: int = UPRIGHT
) -> PicturePlan:
    """`width` and `height` are the decoded picture's. Raises PoisonError: the roi lies outside the picture."""
    if turn >= 5:
        width, height = height, width
    crop = roi or (0, 0, width, height)
    if crop[0] + crop[2] > width or crop[1] + crop[3] > height:
        where = f"roi {list(crop)} lies outside the picture of {width}x{height}"
        raise PoisonError("undecodable", f"{where}: correct the camera's roi")
    return PicturePlan(turn, crop, *shrunk(crop[2], crop[3], longest_side))


def shrunk(width: int, height: int, longest_side: int | None) -> tuple[int, int]:
    """The size at which the longer side has at most `longest_side` pixels; never larger than it is."""
    if longest_side is None or max(width, height) <= longest_side:
        return width, height
    scale = longest_side / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))
