"""Small pictures of the cameras for their tiles: drawn once for all viewers, on a thread of their own.

A JPEG is decoded at an eighth, a quarter or half of its size (libjpeg's scaled decoding), which costs a tenth of the
whole one. How often a page asks is bounded by the page; how much that costs is bounded here: one picture at a time.
"""

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

from PIL import Image, UnidentifiedImageError

from sinks.board.pictures import BrowserPicture, NoPictureError

SIDE_PX = 320
"""Of the longer side."""
QUALITY = 70
KEPT = 256
"""Small pictures in memory, of 10 KB each."""
MAX_PIXELS = 40_000_000
_UNREADABLE = (
    UnidentifiedImageError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,  # where warnings are errors
    OSError,
    SyntaxError,
    ValueError,
)


class SmallPictures:
    """`close` ends the thread."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "small-pictures")
        self._kept: OrderedDict[str, BrowserPicture] = OrderedDict()
        """By frame."""

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def of(self, picture: BrowserPicture) -> BrowserPicture:
        """The picture, its longer side at most SIDE_PX. Raises NoPictureError for one that can't be decoded."""
        if (kept := self._kept.get(picture.frame_id)) is not None:
            return kept
        payload = await asyncio.get_running_loop().run_in_executor(self._thread, shrunk, picture.payload)
        small = BrowserPicture("image/jpeg", payload, picture.frame_id)
        self._kept[picture.frame_id] = small
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return small


def shrunk(payload: bytes, side_px: int = SIDE_PX) -> bytes:
    """The JPEG of a JPEG or PNG, shrunk until its longer side has at most `side_px`. Raises NoPictureError. Blocks."""
    try:
        with Image.open(BytesIO(payload), formats=("JPEG", "PNG")) as image:
            if image.width * image.height > MAX_PIXELS:
                raise NoPictureError("the picture is too large to be shrunk", later=False)
            image.draft("RGB", (side_px, side_px))
            small = image.convert("RGB")
    except _UNREADABLE as error:
        raise NoPictureError(f"the picture can't be decoded: {type(error).__name__}", later=False) from None
    small.thumbnail((side_px, side_px))
    drawn = BytesIO()
    small.save(drawn, "JPEG", quality=QUALITY)
    return drawn.getvalue()
