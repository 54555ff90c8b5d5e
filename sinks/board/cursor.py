"""Cursors: where a list goes on, as an opaque text. A page begins after a row, never at a number of rows."""

import base64
import binascii
import json
from datetime import datetime
from typing import Generic, TypeVar

from pydantic import BaseModel

from sinks.board.problems import ProblemError

Item = TypeVar("Item")
MOST = 2_000
"""Characters."""


class Page(BaseModel, Generic[Item]):
    """A part of a list."""

    items: list[Item]
    next: str | None = None
    """The cursor of the part that follows. None: this is the last one."""


def encode(*key: str | int | datetime) -> str:
    """The key of a page's last row."""
    parts = [part.isoformat() if isinstance(part, datetime) else part for part in key]
    return base64.urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode().rstrip("=")


def decode(cursor: str, *kinds: type[str] | type[int] | type[datetime]) -> tuple[str | int | datetime, ...]:
    """The key that `encode` was given, of these types. Raises ProblemError for any other text."""
    try:
        if len(cursor) > MOST:
            raise ValueError
        parts = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        if not isinstance(parts, list) or len(parts) != len(kinds):
            raise ValueError
        return tuple(_part(part, kind) for part, kind in zip(parts, kinds, strict=True))
    except (ValueError, binascii.Error, RecursionError):
        raise ProblemError(422, "the cursor is not valid", "take it from `next` of the page before") from None


def _part(part: object, kind: type[str] | type[int] | type[datetime]) -> str | int | datetime:
    if kind is datetime and isinstance(part, str):
        at = datetime.fromisoformat(part)
        if at.tzinfo is not None:
            return at
    if kind is int and isinstance(part, int) and not isinstance(part, bool) and abs(part) < 2**63:
        return part
    if kind is str and isinstance(part, str):
        return part
    raise ValueError
