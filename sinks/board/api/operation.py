"""An operation of the API: who may call it, what it takes and what it returns, from the annotations of one function.

    @operation("GET", "/defects", role="viewer", summary="Defects, the newest first")
    async def list_defects(request: Request, query: DefectQuery) -> DefectPage: ...

`query` and `body` are pydantic models; the answer is one, too, or None for an answer without content.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, get_type_hints

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from andon.settings import BoardRole
from sinks.board.problems import ProblemError
from sinks.board.security.roles import refused

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Handle = Callable[..., Awaitable[BaseModel | None]]
PREFIX = "/api/v1"
_NUMBER = re.compile(r"\s*[+-]?[0-9.]+\s*")


@dataclass(frozen=True, slots=True)
class Operation:
    method: Method
    path: str
    """Below /api/v1, with parameters as Starlette writes them: `/defects/{defect_id:path}`."""
    role: BoardRole
    summary: str
    handle: Handle
    status: int
    """Of an answer without fault."""
    problems: tuple[int, ...]
    """Statuses besides those that every operation may have."""
    models: dict[str, Any] = field(default_factory=dict)
    """`query`, `body` and `return`, where the function has them."""

    async def __call__(self, request: Request) -> Response:
        """Raises ProblemError."""
        refusal = await refused(request, self.role)
        assert refusal is None, "below /api/ there is no page to log in at"
        given: dict[str, BaseModel] = {}
        if "query" in self.models:
            given["query"] = _query(request, self.models["query"])
        if "body" in self.models:
            given["body"] = await _body(request, self.models["body"])
        result = await self.handle(request, **given)
        return Response(status_code=204) if result is None else _answer(request, result, self.status)


def operation(
    method: Method, path: str, *, role: BoardRole, summary: str, status: int = 200, problems: tuple[int, ...] = ()
) -> Callable[[Handle], Operation]:
    def decorate(handle: Handle) -> Operation:
        models = {name: hint for name, hint in get_type_hints(handle).items() if name in ("query", "body", "return")}
        return Operation(method, path, role, summary, handle, status, problems, models)

    return decorate


def _query(request: Request, model: type[BaseModel]) -> BaseModel:
    """A parameter that is given several times is a list where the model has one, and else the last one counts."""
    parameters = request.query_params
    several = {name for name, info in model.model_fields.items() if "tuple" in str(info.annotation)}
    values = {name: parameters.getlist(name) if name in several else parameters[name] for name in parameters}
    for name, info in model.model_fields.items():
        # pydantic would take a number for a moment as seconds since 1970
        if "datetime." in str(info.annotation) and _NUMBER.fullmatch(str(values.get(name, ""))):
            fault = {"in": "query", "at": name, "message": "write it as in ISO 8601: 2026-03-01T06:00:00Z"}
            raise ProblemError(422, "the request is not valid", fault["message"], errors=[fault])
    return _validated(lambda: model.model_validate(values), "query")


async def _body(request: Request, model: type[BaseModel]) -> BaseModel:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ProblemError(415, "unsupported media type", "send application/json")
    body = await request.body()
    return _validated(lambda: model.model_validate_json(body, strict=True), "body")


def _validated(validate: Callable[[], BaseModel], where: str) -> BaseModel:
    try:
        return validate()
    except ValidationError as error:
        faults = [
            {"in": where, "at": ".".join(map(str, item["loc"])), "message": item["msg"]}
            for item in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise ProblemError(422, "the request is not valid", faults[0]["message"], errors=faults) from None


def _answer(request: Request, result: BaseModel, status: int) -> Response:
    """JSON with an ETag; 304 where the client has that already."""
    body = result.model_dump_json().encode()
    if request.method not in ("GET", "HEAD"):
        return Response(body, status, media_type="application/json")
    tag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Cookie, Authorization"}
    known = {part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")}
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(body, status, headers, media_type="application/json")
