"""A known picture in every pixel format of industrial cameras, written by other code than that which reads it."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.sources.pixel_formats import FORMATS, PixelFormat, size_bytes, to_bgr

WIDTH, HEIGHT = 32, 24
PATCHES = {"red": (20, 40, 230), "green": (30, 210, 50), "blue": (220, 60, 10), "sand": (110, 180, 240)}
"""BGR of the picture's quarters: no two channels and no two quarters are alike."""
BY_NAME = {form.name: form for form in FORMATS.values()}
DEEP_MONO = [form for form in FORMATS.values() if form.name.startswith("Mono") and form.bits > 8]
BAYER = [form for form in FORMATS.values() if form.name.startswith("Bayer")]
YUV = [form for form in FORMATS.values() if "422" in form.name]


def picture() -> NDArray[np.uint8]:
    """BGR, four quarters of one colour each."""
    quarters = [np.full((HEIGHT // 2, WIDTH // 2, 3), colour, np.uint8) for colour in PATCHES.values()]
    return np.vstack((np.hstack(quarters[:2]), np.hstack(quarters[2:])))


def inner(bgr: NDArray[np.uint8]) -> list[tuple[int, ...]]:
    """The colour in the middle of each quarter."""
    rows, columns = (HEIGHT // 4, 3 * HEIGHT // 4), (WIDTH // 4, 3 * WIDTH // 4)
    return [tuple(int(value) for value in bgr[row, column]) for row in rows for column in columns]


def written(form: PixelFormat, samples: list[int]) -> bytes:
    """Samples of `form.bits` bits each, as its name says that they lie."""
    if form.name.endswith("Packed"):
        return b"".join(_two_packed(form.bits, *pair) for pair in _groups(samples, 2))
    if form.name.endswith("p"):
        bits = sum(sample << (form.bits * index) for index, sample in enumerate(samples))
        return bits.to_bytes(-(-form.bits * len(samples) // 8), "little")
    return b"".join(sample.to_bytes(form.bits_a_pixel // 8, "little") for sample in samples)


def _two_packed(bits: int, first: int, second: int = 0) -> bytes:
    low = bits - 8
    middle = first & ((1 << low) - 1) | (second & ((1 << low) - 1)) << 4
    return bytes((first >> low, middle, second >> low))


def _groups(samples: list[int], size: int) -> Iterator[list[int]]:
    yield from (samples[at : at + size] for at in range(0, len(samples), size))


def ramp(bits: int, width: int, height: int) -> list[int]:
    """Values over the whole range of `bits` bits, whose low bits differ, too."""
    last = width * height - 1
    return [index * ((1 << bits) - 1) // last for index in range(last + 1)]


@pytest.mark.parametrize("form", DEEP_MONO, ids=lambda form: form.name)
@pytest.mark.parametrize("width", [WIDTH, 7])
def test_a_grey_sample_of_more_than_8_bits_keeps_its_8_highest(form: PixelFormat, width: int) -> None:
    samples = ramp(form.bits, width, HEIGHT)
    data = written(form, samples)
    assert size_bytes(form, (width, HEIGHT)) <= len(data)
    bgr = to_bgr(data, form, (width, HEIGHT))
    assert bgr.shape == (HEIGHT, width, 3)
    for channel in range(3):
        assert bgr[:, :, channel].reshape(-1).tolist() == [sample >> (form.bits - 8) for sample in samples]


def test_a_grey_sample_of_8_bits_stays_as_it_is() -> None:
    samples = ramp(8, WIDTH, HEIGHT)
    bgr = to_bgr(bytes(samples), BY_NAME["Mono8"], (WIDTH, HEIGHT))
    assert bgr[:, :, 0].reshape(-1).tolist() == samples


def test_samples_of_16_bits_with_12_significant_ones_are_neither_black_nor_wrapped() -> None:
    data = written(BY_NAME["Mono16"], [0, 16, 2048, 4095, 4096, 65535])
    bgr = to_bgr(data, BY_NAME["Mono16"], (6, 1), bits=12)
    assert bgr[0, :, 0].tolist() == [0, 1, 128, 255, 255, 255]


@pytest.mark.parametrize("form", BAYER, ids=lambda form: form.name)
def test_bayer_gives_each_quarter_its_colour(form: PixelFormat) -> None:
    order = form.name.removeprefix("Bayer")[:2]
    pattern = {"RG": "RGGB", "GR": "GRBG", "GB": "GBRG", "BG": "BGGR"}[order]
    bgr = picture()
    samples = []
    for row in range(HEIGHT):
        for column in range(WIDTH):
            colour = pattern[2 * (row % 2) + column % 2]
            level = int(bgr[row, column, "BGR".index(colour)])
            samples.append(level << (form.bits - 8) | level >> (16 - form.bits) if form.bits > 8 else level)
    assert inner(to_bgr(written(form, samples), form, (WIDTH, HEIGHT))) == list(PATCHES.values())


@pytest.mark.parametrize("name", ["RGB8", "BGR8", "RGBa8", "BGRa8"])
def test_colours_of_8_bits_come_in_their_order_without_the_filling(name: str) -> None:
    form, bgr = BY_NAME[name], picture()
    channels = bgr[:, :, ::-1] if name.startswith("RGB") else bgr
    if form.channels == 4:
        channels = np.dstack((channels, np.full((HEIGHT, WIDTH), 77, np.uint8)))
    assert to_bgr(channels.tobytes(), form, (WIDTH, HEIGHT)).tolist() == bgr.tolist()


def _ycbcr(bgr: list[int], *, limited: bool) -> tuple[int, int, int]:
    """BT.601; of 256 levels, or black at 16 and white at 235. Source: ITU-R BT.601-7, 3.5; JFIF 1.02."""
    blue, green, red = bgr
    y = 0.299 * red + 0.587 * green + 0.114 * blue
    cb, cr = 0.564 * (blue - y), 0.713 * (red - y)
    if limited:
        y, cb, cr = 16 + y * 219 / 255, cb * 224 / 255, cr * 224 / 255
    return round(y), round(cb + 128), round(cr + 128)


@pytest.mark.parametrize("form", YUV, ids=lambda form: form.name)
def test_yuv_gives_each_quarter_its_colour(form: PixelFormat) -> None:
    luma_first = not form.name.endswith(("UYVY", "CbYCrY"))
    data = bytearray()
    for row in picture().reshape(-1, 2, 3).tolist():
        (y0, cb, cr), (y1, _, _) = (_ycbcr(pixel, limited="601" in form.name) for pixel in row)
        data += bytes((y0, cb, y1, cr) if luma_first else (cb, y0, cr, y1))
    found = inner(to_bgr(bytes(data), form, (WIDTH, HEIGHT)))
    assert np.abs(np.subtract(found, list(PATCHES.values()))).max() <= 3


@pytest.mark.parametrize("name", ["Mono8", "Mono12", "Mono12Packed", "Mono10p", "Mono12p"])
@pytest.mark.parametrize("width", [8, 7])
def test_bytes_at_the_end_of_each_row_are_left_out(name: str, width: int) -> None:
    form, filling = BY_NAME[name], b"\xee" * 5
    row = ramp(form.bits, width, 1)
    data = filling.join([written(form, row)[: form.bytes_of(width)]] * HEIGHT)  # the last row may lack them
    assert size_bytes(form, (width, HEIGHT), len(filling)) == len(data)
    bgr = to_bgr(data, form, (width, HEIGHT), padding=len(filling))
    assert bgr[:, :, 1].tolist() == [[sample >> (form.bits - 8) for sample in row]] * HEIGHT


def test_bytes_at_the_end_of_each_row_of_colours_are_left_out() -> None:
    bgr = picture()
    data = b"".join(row.tobytes() + b"\xee\xee" for row in bgr)
    assert to_bgr(data, BY_NAME["BGR8"], (WIDTH, HEIGHT), padding=2).tolist() == bgr.tolist()


def test_the_caller_owns_the_picture() -> None:
    data = bytes(ramp(8, WIDTH, HEIGHT)) * 3
    for name in ("Mono8", "BGR8"):
        bgr = to_bgr(data, BY_NAME[name], (WIDTH, HEIGHT))
        bgr[:] = 0
        assert to_bgr(data, BY_NAME[name], (WIDTH, HEIGHT)).any()


def test_no_two_formats_share_a_name() -> None:
    assert len(BY_NAME) == len(FORMATS) == 55
