"""Cuts a multipart/x-mixed-replace stream into its parts, as cameras really send them (pure).

Cameras declare a boundary with or without its dashes, send none, or a Content-Length that is wrong. So the first line
of the stream is the delimiter, whatever was declared, and a length counts only if the delimiter follows the body.
Source of the form: RFC 2046, 5.1; multipart/x-mixed-replace is Netscape's, and no standard.
"""

import re
from dataclasses import dataclass, field

MAX_HEADER_BYTES = 16_384
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")


class MultipartError(Exception):
    """What comes is no stream of parts."""


@dataclass(frozen=True, slots=True)
class BodyPart:
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes = field(repr=False)


class Multipart:
    """`feed` it what arrives. A part is complete when its length, or else the next delimiter, has come."""

    def __init__(self, boundary: str | None, max_bytes: int) -> None:
        """`boundary` as declared, if it is. A part may have at most `max_bytes`."""
        self._declared = boundary.encode() if boundary else None
        self._max_bytes = max_bytes
        self._delimiter: bytes | None = None
        self._headers: dict[str, str] | None = None
        self._buffer = bytearray()
        self._searched = 0
        """Bytes of the buffer in which no delimiter begins."""
        self._lengths_hold = True
        self.ended = False
        """The last delimiter has come."""

    def feed(self, chunk: bytes) -> list[BodyPart]:
        """The parts that are complete now. Raises MultipartError."""
        self._buffer += chunk
        parts = []
        while not self.ended and (self._headers is not None or self._read_headers()):
            body = self._read_body()
            if body is None:
                break
            parts.append(BodyPart(self._headers or {}, body))
            self._headers = None
        return parts

    def _read_headers(self) -> bool:
        """Take the delimiter and the headers off the buffer; False: they have not all come."""
        if not self._read_delimiter():
            return False
        found = _BLANK_LINE.search(self._buffer, 0, MAX_HEADER_BYTES)
        if found is None:
            if len(self._buffer) >= MAX_HEADER_BYTES:
                raise MultipartError("the headers of a picture do not end")
            return False
        self._headers = _headers(bytes(self._buffer[: found.start()]))
        self._drop(found.end())
        return True

    def _read_delimiter(self) -> bool:
        """Whether the buffer begins with a whole line of the delimiter; what stands before it is dropped."""
        self._drop(len(self._buffer) - len(self._buffer.lstrip(b"\r\n")))
        end = self._buffer.find(b"\n", 0, MAX_HEADER_BYTES)
        if end < 0:
            if len(self._buffer) >= MAX_HEADER_BYTES:
                raise MultipartError("no boundary comes")
            return False
        line = bytes(self._buffer[:end]).rstrip()
        if self._delimiter is None:
            if not line.startswith(b"--") and line != self._declared:
                raise MultipartError("no boundary stands at its beginning")
            self._delimiter = line
        self.ended = line == self._delimiter + b"--"
        if line == self._delimiter:
            return True
        return not self.ended and self._find_delimiter()

    def _find_delimiter(self) -> bool:
        """The length of the part before was wrong: go on at the next delimiter, and trust no length any more."""
        self._lengths_hold = False
        at = self._search()
        if at is None:
            return False
        self._drop(at)
        return self._read_delimiter()

    def _read_body(self) -> bytes | None:
        """None: it has not all come."""
        length = _length(self._headers or {})
        if length is not None and self._lengths_hold:
            if length > self._max_bytes:
                raise MultipartError(f"a picture of {length} bytes is announced")
            if len(self._buffer) < length:
                return None
            if self._ends_at(length):
                return self._take(length)
            self._lengths_hold = False
        at = self._search()
        return None if at is None else self._take(at).removesuffix(b"\n").removesuffix(b"\r")

    def _ends_at(self, length: int) -> bool:
        """Whether nothing that has come speaks against this length."""
        assert self._delimiter is not None
        if self._buffer.find(self._delimiter, max(0, length - len(self._delimiter) - 4), length) >= 0:
            return False
        behind = bytes(self._buffer[length : length + len(self._delimiter) + 4]).lstrip(b"\r\n")
        return behind.startswith(self._delimiter) or self._delimiter.startswith(behind)

    def _search(self) -> int | None:
        """Where the next delimiter begins; None: it has not come. Raises MultipartError where it should have."""
        assert self._delimiter is not None
        at = self._buffer.find(b"\n" + self._delimiter, self._searched)
        if at >= 0:
            return at + 1
        self._searched = max(0, len(self._buffer) - len(self._delimiter) - 1)
        if len(self._buffer) > self._max_bytes:
            raise MultipartError(f"a picture does not end within {self._max_bytes} bytes")
        return None

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        self._drop(count)
        return taken

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._searched = 0


def _headers(head: bytes) -> dict[str, str]:
    """The delimiter's line comes first. Lines without a colon are passed over."""
    lines = head.decode("latin-1").splitlines()[1:]
    pairs = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}


def _length(headers: dict[str, str]) -> int | None:
    text = headers.get("content-length", "")
    return int(text) if text.isdecimal() and len(text) < 12 else None
