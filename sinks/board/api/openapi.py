"""The API's description, OpenAPI 3.1, made from its operations and their models."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from andon import __version__
from sinks.board.api.operation import PREFIX, Operation

JSON = "application/json"
PROBLEM = "application/problem+json"
REFERENCES = "#/components/schemas/{model}"
TITLES = {
    401: "Nobody is logged in",
    403: "The user may not do this, or the CSRF token is missing",
    404: "There is none",
    409: "It is not in a state for this",
    413: "The body is too large",
    415: "The body is no JSON",
    422: "The request is not valid",
    503: "The store, Redis or the broker is away",
}


class Problem(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str | None = None
    errors: list[dict[str, str]] | None = None


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    models = {model: mode for item in operations for model, mode in _models(item)} | {Problem: "serialization"}
    schemas, definitions = models_json_schema(
        [(model, mode) for model, mode in models.items()],  # type: ignore[misc]  # pydantic wants the literal type
        ref_template=REFERENCES,
    )
    names = {model: schema for (model, _), schema in schemas.items()}
    paths: dict[str, dict[str, Any]] = {}
    for item in operations:
        paths.setdefault(_path(item), {})[item.method.lower()] = _operation(item, names)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Andon", "version": __version__, "description": "Everything that the board's pages do."},
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "andon_session"},
            },
        },
        "security": [{"token": []}, {"session": []}],
    }


def _models(item: Operation) -> Iterable[tuple[type[BaseModel], str]]:
    if "body" in item.models:
        yield item.models["body"], "validation"
    if _has_content(item):
        yield item.models["return"], "serialization"


def _has_content(item: Operation) -> bool:
    return item.models.get("return") not in (None, type(None))


def _path(item: Operation) -> str:
    return PREFIX + re.sub(r"\{(\w+)(:\w+)?\}", r"{\1}", item.path)


def _operation(item: Operation, names: dict[Any, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "operationId": item.handle.__name__,
        "summary": item.summary,
        "description": f"Takes the role {item.role}.",
        "parameters": [*_path_parameters(item), *_query_parameters(item)],
        "responses": _responses(item, names),
    }
    if "body" in item.models:
        content = {JSON: {"schema": names[item.models["body"]]}}
        shown["requestBody"] = {"required": True, "content": content}
    return shown


def _path_parameters(item: Operation) -> list[dict[str, Any]]:
    schemas = {"int": {"type": "integer"}}
    return [
        {"name": name, "in": "path", "required": True, "schema": schemas.get(kind, {"type": "string", "minLength": 1})}
        for name, kind in re.findall(r"\{(\w+):?(\w*)\}", item.path)
    ]


def _query_parameters(item: Operation) -> list[dict[str, Any]]:
    if "query" not in item.models:
        return []
    schema = item.models["query"].model_json_schema(ref_template=REFERENCES)
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _inlined(part, schema.get("$defs", {}))}
        for name, part in schema.get("properties", {}).items()
    ]


def _inlined(part: Any, definitions: dict[str, Any]) -> Any:
    """The schema of one parameter, with the definitions that it uses in their place."""
    if isinstance(part, dict):
        if "$ref" in part:
            return _inlined(definitions[part["$ref"].rpartition("/")[2]], definitions)
        return {key: _inlined(value, definitions) for key, value in part.items()}
    return [_inlined(value, definitions) for value in part] if isinstance(part, list) else part


def _responses(item: Operation, names: dict[Any, Any]) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "Done"}
    if _has_content(item):
        good["content"] = {JSON: {"schema": names[item.models["return"]]}}
    statuses = {401, 403, 422, 503, *item.problems}
    statuses |= {404} if "{" in item.path else set()
    statuses |= {413, 415} if "body" in item.models else set()
    problem = {PROBLEM: {"schema": names[Problem]}}
    refused = {str(status): {"description": TITLES[status], "content": problem} for status in sorted(statuses)}
    kept = {"304": {"description": "As the client has it"}} if item.method == "GET" and _has_content(item) else {}
    return {str(item.status if _has_content(item) else 204): good, **kept, **refused}
