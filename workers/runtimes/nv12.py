"""A picture as video decoders on GPUs leave it (NV12) -> BGR pixels, by torch, on the device where it lies.

It gives the pixels of FFmpeg's conversion on the host, which takes the nearest chroma sample, but for rounding.
"""

from dataclasses import dataclass

import torch
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange

from andon.video.geometry import UPRIGHT, PicturePlan
from workers.runtimes.tensors import upright

FORMAT = "nv12"
BT709, BT601 = (0.2126, 0.0722), (0.299, 0.114)
"""The shares of red and blue in luma."""
MATRICES = {1: BT709, 2: BT601, 5: BT601, 6: BT601}
"""By AVColorSpace. 2: not specified, which FFmpeg takes so, too."""
LIMITED_BLACK, LIMITED_LUMA, LIMITED_CHROMA = 16, 219, 224
STRIP_PX = 1 << 21
"""Pixels that are converted at once, a picture of 1080p: each takes some 50 bytes meanwhile."""


class NotNv12Error(Exception):
    """The picture has a layout that is not converted here. The path over the host takes it."""


@dataclass(frozen=True, slots=True, eq=False)
class Nv12:
    """The decoder's memory, which stays taken as long as this lives."""

    luma: torch.Tensor
    """uint8 (H, W)."""
    chroma: torch.Tensor
    """uint8 (H / 2, W / 2, 2)."""
    matrix: tuple[float, float]
    full_range: bool


def nv12(frame: VideoFrame) -> Nv12:
    """Nothing is copied. Raises NotNv12Error: more than 8 bits, another chroma, an odd size or an unusual matrix."""
    layout = (frame.sw_format or frame.format).name
    if layout != FORMAT:
        raise NotNv12Error(f"{layout} is not converted on a card")
    if frame.width % 2 or frame.height % 2:  # DLPack drops the last chroma samples; a 4:2:0 stream has no such size
        raise NotNv12Error(f"{frame.width}x{frame.height}: an odd size is not converted on a card")
    matrix = MATRICES.get(int(frame.colorspace))
    if matrix is None:
        raise NotNv12Error(f"colour matrix {int(frame.colorspace)} is not converted on a card")
    luma, chroma = frame.planes
    return Nv12(_tensor(luma), _tensor(chroma), matrix, int(frame.color_range) == ColorRange.JPEG)


def _tensor(plane: VideoPlane) -> torch.Tensor:
    """By a capsule: `torch.from_dlpack(plane)` would name its CUDA stream, which PyAV refuses.

    Nothing waits for the decoder: FFmpeg copies its picture on the device's default stream, on which torch reads it.
    """
    tensor: torch.Tensor = torch.utils.dlpack.from_dlpack(plane.__dlpack__())
    return tensor


def bgr(picture: Nv12, crop: tuple[int, int, int, int]) -> torch.Tensor:
    """float32 (3, height, width), whole numbers from 0 to 255. `crop`: x, y, width, height inside the picture."""
    x, y, width, height = crop
    luma = picture.luma[y : y + height, x : x + width].float()
    near = picture.chroma[y // 2 : -(-(y + height) // 2), x // 2 : -(-(x + width) // 2)].float() - 128
    wide = near.repeat_interleave(2, 0).repeat_interleave(2, 1)
    blue_difference, red_difference = wide[y % 2 :, x % 2 :][:height, :width].unbind(2)
    if not picture.full_range:
        luma = (luma - LIMITED_BLACK) * (255 / LIMITED_LUMA)
        blue_difference = blue_difference * (255 / LIMITED_CHROMA)
        red_difference = red_difference * (255 / LIMITED_CHROMA)
    of_red, of_blue = picture.matrix
    red = luma + 2 * (1 - of_red) * red_difference
    blue = luma + 2 * (1 - of_blue) * blue_difference
    green = (luma - of_red * red - of_blue * blue) / (1 - of_red - of_blue)
    return torch.stack((blue, green, red)).clamp_(0, 255).round_()


def pixels(picture: Nv12, crop: tuple[int, int, int, int]) -> torch.Tensor:
    """uint8 (height, width, 3) BGR on the picture's device, the caller's own. `crop`: as `bgr`'s."""
    x, y, width, height = crop
    result = torch.empty((height, width, 3), dtype=torch.uint8, device=picture.luma.device)
    rows = max(1, STRIP_PX // width)
    for top in range(0, height, rows):
        strip = result[top : top + rows]
        strip.copy_(bgr(picture, (x, y + top, width, len(strip))).permute(1, 2, 0))
    return result


def part_of(picture: Nv12, geometry: PicturePlan) -> torch.Tensor:
    """uint8 (H, W, 3) BGR: the upright part that is inspected, before it is shrunk."""
    if geometry.turn == UPRIGHT:
        return pixels(picture, geometry.crop)
    height, width = picture.luma.shape
    left, top, w, h = geometry.crop
    turned = upright(pixels(picture, (0, 0, width, height)), geometry.turn)
    return turned[top : top + h, left : left + w].contiguous()
