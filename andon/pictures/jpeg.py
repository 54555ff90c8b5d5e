"""Decodes JPEGs with libjpeg-turbo, which reports a damaged picture where others fill it up with grey.

A JPEG that every decoder reads alike is a picture, even if it breaks a rule of the standard on which no pixel depends:
see `jpeg_repair`. A JPEG for which a decoder has to make up pixels is damaged.
"""

import simplejpeg

from andon.errors import PoisonError
from andon.pictures import jpeg_repair
from andon.pictures.jpeg_header import read_header
from andon.pictures.picture import Bgr, PixelLayout

MAX_SCANS = 100
"""An encoder makes about 10. Each scan takes the decoder through the whole picture: 20,000 of them fit into a small
record and keep it busy for minutes. Source: libjpeg-turbo, "Two issues with the JPEG standard"."""


def layout(payload: bytes) -> PixelLayout:
    """Raises PoisonError where the header does not lead to a frame."""
    header = read_header(payload)
    if header is None:
        raise PoisonError("undecodable", "not a JPEG, or one without a frame header")
    return PixelLayout(header.width, header.height, header.orientation, not header.in_one_scan)


def read(payload: bytes, layout: PixelLayout, width: int, height: int) -> Bgr:
    """The picture as it lies, at least this large: libjpeg's cheap factors (8, 4, 2) shrink it no further."""
    if layout.several_scans:
        _require_all_scans(payload)
    try:
        return decode(payload, width, height)
    except ValueError as error:
        first = str(error)
    try:
        return _read_repaired(payload, first, width, height)
    except ValueError as error:
        raise PoisonError("undecodable", f"a damaged JPEG: {str(error)[:200]}") from None


def _require_all_scans(payload: bytes) -> None:
    scans = payload.count(b"\xff\xda")
    if scans > MAX_SCANS:
        raise PoisonError("undecodable", f"a JPEG of {scans} scans; at most {MAX_SCANS} are read")
    if missing := jpeg_repair.missing_scans(payload):
        raise PoisonError("undecodable", f"a damaged JPEG: {missing}")


def decode(payload: bytes, width: int, height: int, *, strict: bool = True) -> Bgr:
    """Raises ValueError with libjpeg's first warning if `strict`, else only with its errors."""
    picture: Bgr = simplejpeg.decode_jpeg(payload, "BGR", min_height=height, min_width=width, strict=strict)
    return picture


def _read_repaired(payload: bytes, warning: str, width: int, height: int) -> Bgr:
    """Raises ValueError: a decoder had to make up pixels."""
    repaired = jpeg_repair.repaired(payload)
    if repaired is None:
        raise ValueError(warning)
    if repaired != payload:
        try:
            return decode(repaired, width, height)
        except ValueError as error:
            warning = str(error)
    jpeg_repair.require_stuffing_only(repaired, warning)
    return decode(repaired, width, height, strict=False)
