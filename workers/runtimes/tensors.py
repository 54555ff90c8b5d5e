"""Pictures on a card, as torch tensors: turned, shrunk, and drawn on a model's canvas, as OpenCV does it on the host.

It gives OpenCV's pixels but for rounding. The same code runs on tensors in the host's memory.
"""

from collections.abc import Sequence
from typing import cast

import torch

from andon.pictures.picture import OnCard
from workers.letterbox import GREY, Fit


def upright(pixels: torch.Tensor, orientation: int) -> torch.Tensor:
    """(H, W, 3), turned as Exif asks for: see `andon.pictures.orientation`. A view of the same memory."""
    if orientation >= 5:
        pixels = pixels.transpose(0, 1)
    sides = {2: (1,), 3: (0, 1), 4: (0,), 6: (1,), 7: (0, 1), 8: (0,)}.get(orientation, ())
    return pixels.flip(sides) if sides else pixels


def shrunk(pixels: torch.Tensor, width: int, height: int) -> torch.Tensor:
    """uint8 (H, W, 3) -> uint8 (height, width, 3), each pixel the mean of the area that it covers (INTER_AREA)."""
    planes = [_means(_means(pixels[..., colour], width).T, height).T for colour in range(pixels.shape[2])]
    return torch.stack(planes, 2).round_().to(torch.uint8)


def _means(plane: torch.Tensor, size: int) -> torch.Tensor:
    """float64 (n, size): of each row's `size` equal parts, their means. By sums from the row's beginning.

    float64: on a GPU the order of a sum varies, and no digit that counts may vary with it.
    """
    length, rows = plane.shape[1], plane.double()
    ends = torch.arange(size + 1, dtype=torch.float64, device=plane.device) * (length / size)
    last = ends.long().clamp_(max=length - 1)
    before = torch.nn.functional.pad(rows.cumsum(1), (1, 0))[:, last]
    sums = before + (ends - last) * rows[:, last]
    return sums.diff(dim=1) * (size / length)


def drawn(pictures: Sequence[OnCard], fits: Sequence[Fit]) -> torch.Tensor:
    """uint8 (n, H, W, 3) on the pictures' device: the counterpart of `workers.letterbox.drawn`."""
    tensors = [cast(torch.Tensor, picture) for picture in pictures]
    shape = (len(tensors), *fits[0].canvas, 3)
    canvases = torch.full(shape, GREY, dtype=torch.uint8, device=tensors[0].device)
    for canvas, picture, placed in zip(canvases, tensors, fits, strict=True):
        height, width = placed.size
        inside = canvas[placed.top : placed.top + height, placed.left : placed.left + width]
        inside.copy_(picture if picture.shape[:2] == placed.size else _scaled(picture, placed.size))
    return canvases


def _scaled(picture: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """float32 (height, width, 3), whole numbers."""
    planes = picture.permute(2, 0, 1)[None].float()
    scaled = torch.nn.functional.interpolate(planes, size=size, mode="bilinear")
    return scaled[0].round_().permute(1, 2, 0)
