"""What the board answers when it can't do what it is asked: a problem as in RFC 9457."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse


class ProblemError(Exception):
    """The request can't be answered. `title` is the same for each such request, `detail` is this one's own."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str = "",
        headers: Mapping[str, str] | None = None,
        errors: list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(title)
        self.status, self.title, self.detail = status, title, detail
        self.headers = dict(headers or {})
        self.errors = errors


class ProblemResponse(JSONResponse):
    media_type = "application/problem+json"
