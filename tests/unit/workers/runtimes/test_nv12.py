"""Pictures converted as on a card, but on the CPU, against those of the path over the host."""

from types import SimpleNamespace
from typing import Any, cast

import cv2
import numpy as np
import pytest
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from andon.video.decoder import GroupDecoder
from andon.video.geometry import shrunk as shrunk_size
from andon.video.pixels import BgrConverter
from tests.cards import NEAR, interleaved
from tests.video_units import PLAIN_264, PLAIN_265, Encoder, stream
from workers.letterbox import drawn, fit

torch = pytest.importorskip("torch")

from workers.runtimes import nv12 as conversion  # noqa: E402 - it loads torch
from workers.runtimes.nv12 import NotNv12Error, nv12, pixels  # noqa: E402 - as above
from workers.runtimes.tensors import drawn as drawn_on_card  # noqa: E402 - as above
from workers.runtimes.tensors import shrunk  # noqa: E402 - as above

WIDTH, HEIGHT = 130, 94
CROPS = [(0, 0, WIDTH, HEIGHT), (3, 5, 63, 41), (4, 6, 64, 40), (129, 93, 1, 1), (0, 1, 130, 93)]


def planar(matrix: int, color_range: int, layout: str = "yuv420p", size: tuple[int, int] = (WIDTH, HEIGHT)) -> Any:
    """Noise, in all of the range that the samples may take."""
    frame, noise = VideoFrame(*size, layout), np.random.default_rng(7)
    for plane in frame.planes:
        plane.update(noise.integers(0, 256, plane.buffer_size, np.uint8).tobytes())
    frame.colorspace, frame.color_range = matrix, color_range
    return frame


def noise(size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (*size, 3), np.uint8)


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
    found = pixels(nv12(interleaved(frame)), crop)
    assert found.dtype == torch.uint8
    assert differs(found.numpy(), wanted) <= NEAR


def test_a_large_picture_is_converted_in_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    picture, crop = nv12(interleaved(planar(1, 1))), (3, 5, 63, 41)
    at_once = pixels(picture, crop)
    monkeypatch.setattr(conversion, "STRIP_PX", 3 * 63 + 1)
    assert torch.equal(pixels(picture, crop), at_once)


@pytest.mark.parametrize("size", [(94, 130), (40, 63), (1, 1), (700, 33)], ids=str)
@pytest.mark.parametrize("imgsz", [64, 160])
def test_the_canvas_is_the_letterbox_of_the_host(imgsz: int, size: tuple[int, int]) -> None:
    picture, placed = noise(size), fit(*size, imgsz)
    pictures, fits = [picture, 255 - picture], [placed, placed]
    wanted = drawn(pictures, fits, np.empty(2 * placed.canvas[0] * placed.canvas[1] * 3, np.uint8))
    result = drawn_on_card([torch.from_numpy(each) for each in pictures], fits)
    assert result.dtype == torch.uint8
    assert differs(result.numpy(), wanted) <= 1


@pytest.mark.parametrize("size", [(94, 130), (200, 300), (33, 1000)], ids=str)
@pytest.mark.parametrize("longest_side", [20, 65, 99, 129])
def test_a_picture_is_shrunk_as_on_the_host(longest_side: int, size: tuple[int, int]) -> None:
    picture = noise(size)
    width, height = shrunk_size(size[1], size[0], longest_side)
    wanted = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    assert differs(shrunk(torch.from_numpy(picture), width, height).numpy(), wanted) <= 1


@pytest.mark.parametrize("encoder", [PLAIN_264, PLAIN_265], ids=["h264", "h265"])
def test_it_converts_what_a_decoder_gives(encoder: Encoder) -> None:
    camera, decoder = stream(encoder), GroupDecoder(stream(encoder).content_type)
    for number, unit in enumerate(camera.units[:5]):
        (picture,) = decoder.feed(unit, number)
        frame = picture.frame
        result = pixels(nv12(interleaved(frame)), (0, 0, frame.width, frame.height))
        assert differs(result.numpy(), camera.pictures[number]) <= NEAR


def test_the_decoders_memory_is_not_copied_and_outlives_its_frame() -> None:
    frame = interleaved(planar(1, 1))
    picture, wanted, address = nv12(frame), frame.to_ndarray(), frame.planes[0].buffer_ptr
    del frame
    assert picture.luma.data_ptr() == address
    np.testing.assert_array_equal(picture.luma.numpy(), wanted[:HEIGHT])


@pytest.mark.parametrize(
    ("frame", "complaint"),
    [
        (planar(1, 1, "p010le"), "p010le"),
        (planar(1, 1, "yuv420p"), "yuv420p"),
        (planar(1, 1, "nv12", (97, 64)), "97x64: an odd size"),
        (planar(9, 1, "nv12"), "colour matrix 9"),
        (cast(Any, SimpleNamespace(sw_format=SimpleNamespace(name="p010le"))), "p010le"),
    ],
    ids=["10-bit", "planar", "odd", "bt2020", "10-bit-on-a-card"],
)
def test_what_it_can_not_convert_is_refused(frame: VideoFrame, complaint: str) -> None:
    with pytest.raises(NotNv12Error, match=complaint):
        nv12(frame)
