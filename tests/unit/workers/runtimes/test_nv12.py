"""Pictures converted as on a card, but on the CPU, against those of the path over the host."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from andon.video.decoder import GroupDecoder
from andon.video.pixels import BgrConverter
from tests.video_units import PLAIN_264, PLAIN_265, Encoder, stream
from workers.letterbox import drawn, fit

torch = pytest.importorskip("torch")

from workers.runtimes.nv12 import NotNv12Error, bgr, canvas, nv12  # noqa: E402 - it loads torch

NEAR = 3
"""Grey levels: FFmpeg computes with tables, OpenCV with fixed-point numbers."""
WIDTH, HEIGHT = 130, 94
CROPS = [(0, 0, WIDTH, HEIGHT), (3, 5, 63, 41), (4, 6, 64, 40), (129, 93, 1, 1), (0, 1, 130, 93)]


def planar(matrix: int, color_range: int, layout: str = "yuv420p", size: tuple[int, int] = (WIDTH, HEIGHT)) -> Any:
    """Noise, in all of the range that the samples may take."""
    frame, noise = VideoFrame(*size, layout), np.random.default_rng(7)
    for plane in frame.planes:
        plane.update(noise.integers(0, 256, plane.buffer_size, np.uint8).tobytes())
    frame.colorspace, frame.color_range = matrix, color_range
    return frame


def interleaved(frame: VideoFrame) -> VideoFrame:
    """The same samples, laid out as a card lays them out."""
    result = frame.reformat(format="nv12")
    result.colorspace, result.color_range = frame.colorspace, frame.color_range
    return result


def differs(one: NDArray[Any], other: NDArray[Any]) -> int:
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - other.astype(int)).max())


@pytest.mark.parametrize("crop", CROPS, ids=str)
@pytest.mark.parametrize("color_range", [0, 1, 2], ids=["unspecified", "limited", "full"])
@pytest.mark.parametrize("matrix", [1, 2, 5, 6], ids=["709", "unspecified", "601", "170m"])
def test_it_gives_the_pixels_of_the_path_over_the_host(
    matrix: int, color_range: int, crop: tuple[int, int, int, int]
) -> None:
    frame, (x, y, width, height) = planar(matrix, color_range), crop
    wanted = BgrConverter().convert(frame)[y : y + height, x : x + width]
    assert differs(bgr(nv12(interleaved(frame)), crop).permute(1, 2, 0).numpy(), wanted) <= NEAR


@pytest.mark.parametrize("crop", CROPS, ids=str)
@pytest.mark.parametrize("imgsz", [64, 160])
def test_the_canvas_is_the_letterbox_of_the_host(imgsz: int, crop: tuple[int, int, int, int]) -> None:
    frame, (x, y, width, height) = planar(1, 1), crop
    placed = fit(height, width, imgsz)
    part = np.ascontiguousarray(BgrConverter().convert(frame)[y : y + height, x : x + width])
    (wanted,) = drawn([part], [placed], np.empty(placed.canvas[0] * placed.canvas[1] * 3, np.uint8))
    result = canvas(nv12(interleaved(frame)), crop, placed)
    assert result.dtype == torch.uint8
    assert differs(result.numpy(), wanted) <= NEAR + 1


@pytest.mark.parametrize("encoder", [PLAIN_264, PLAIN_265], ids=["h264", "h265"])
def test_it_converts_what_a_decoder_gives(encoder: Encoder) -> None:
    camera, decoder = stream(encoder), GroupDecoder(stream(encoder).content_type)
    for number, unit in enumerate(camera.units[:5]):
        (picture,) = decoder.feed(unit, number)
        frame = picture.frame
        result = bgr(nv12(interleaved(frame)), (0, 0, frame.width, frame.height))
        assert differs(result.permute(1, 2, 0).numpy(), camera.pictures[number]) <= NEAR


def test_the_decoders_memory_is_not_copied_and_outlives_its_frame() -> None:
    frame = interleaved(planar(1, 1))
    picture, wanted, address = nv12(frame), frame.to_ndarray(), frame.planes[0].buffer_ptr
    del frame
    assert picture.luma.data_ptr() == address
    np.testing.assert_array_equal(picture.luma.numpy(), wanted[:HEIGHT])


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (planar(1, 1, "p010le"), "p010le"),
        (planar(1, 1, "yuv420p"), "yuv420p"),
        (planar(1, 1, "nv12", (97, 64)), "97x64: an odd size"),
        (planar(9, 1, "nv12"), "colour matrix 9"),
        (cast(Any, SimpleNamespace(sw_format=SimpleNamespace(name="p010le"))), "p010le"),
    ],
    ids=["10-bit", "planar", "odd", "bt2020", "10-bit-on-a-card"],
)
def test_what_it_can_not_convert_is_refused(frame: VideoFrame, said: str) -> None:
    with pytest.raises(NotNv12Error, match=said):
        nv12(frame)
