"""Answers with a part of a file, which browsers ask for when somebody moves within a video (RFC 9110, 14)."""

import re

from starlette.requests import Request
from starlette.responses import Response

_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


def partial_answer(request: Request, content: bytes, media_type: str, kept_s: int) -> Response:
    """`content`, or the one range of it that the request names. A range that can't be read is ignored."""
    headers = {"Cache-Control": f"private, max-age={kept_s}", "Accept-Ranges": "bytes"}
    byte_range = _RANGE.fullmatch(request.headers.get("range", ""))
    if byte_range is None or byte_range.groups() == ("", ""):
        return Response(content, headers=headers, media_type=media_type)
    first, last = _bounds(byte_range, len(content))
    if first > last:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{len(content)}"})
    headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
    return Response(content[first : last + 1], 206, headers, media_type=media_type)


def _bounds(byte_range: re.Match[str], size: int) -> tuple[int, int]:
    """Both ends included."""
    first, last = byte_range.groups()
    if not first:
        return max(0, size - int(last)), size - 1
    return int(first), min(int(last) if last else size - 1, size - 1)
