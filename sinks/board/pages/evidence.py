"""`/evidence`: the gallery of defects; a defect's page with its picture, life, part and labels; its files."""

from datetime import datetime
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from pydantic import ValidationError
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from andon.messages import Box
from sinks.board.board import board_of
from sinks.board.defect_details import (
    defect_detail,
    defect_page,
    evidence_of,
    file_address,
    give_label,
    take_label_back,
)
from sinks.board.models.evidence import DefectQuery, NewLabelBody
from sinks.board.problems import ProblemError
from sinks.board.queries import defects as queries
from sinks.board.ranges import partial_answer
from sinks.board.rendering import render
from sinks.board.security.roles import requires
from sinks.board.stored_evidence import path_of

FILTERS = ("camera", "label", "severity", "part", "start", "end")
KEPT_S = 86_400
"""Evidence never changes once it is there."""


@requires("viewer")
async def gallery(request: Request) -> Response:
    board = board_of(request)
    given = {name: request.query_params.get(name, "") for name in FILTERS}
    try:
        query = _query(request.query_params, ZoneInfo(board.settings.board.time_zone))
    except (ValidationError, ValueError):
        return render(
            request, "evidence.html", status_code=422, page=None, given=given, cameras=[], labels=[], older=""
        )
    page = await defect_page(request, query)
    cameras, labels = await board.store.read(queries.choices)
    kept = {name: value for name, value in given.items() if value}
    older = urlencode({**kept, "cursor": page.next}) if page.next else ""
    return render(
        request,
        "evidence.html",
        page=page,
        given=given,
        cameras=cameras,
        labels=labels,
        older=older,
        small=lambda defect: file_address("small", defect.defect_id),
        page_of=page_address,
    )


def _query(given: QueryParams, zone: ZoneInfo) -> DefectQuery:
    """Raises ValidationError or ValueError. Times without a zone are by the line's clock."""
    fields = {name: given[name] for name in (*FILTERS, "cursor") if given.get(name)}
    for name in ("start", "end"):
        if name in fields:
            at = datetime.fromisoformat(fields[name])
            fields[name] = (at if at.tzinfo else at.replace(tzinfo=zone)).isoformat()
    return DefectQuery.model_validate(fields)


def page_address(defect_id: str) -> str:
    return f"/evidence/{quote(defect_id)}"


@requires("viewer")
async def defect(request: Request) -> Response:
    detail = await defect_detail(request, request.path_params["defect_id"])
    classes = sorted({*board_of(request).settings.defects.classes, detail.defect.label})
    return render(request, "defect.html", detail=detail, classes=classes, problem=None)


@requires("operator")
async def label(request: Request) -> Response:
    form = await request.form()
    defect_id = str(form.get("defect_id", ""))
    try:
        given = {"defect_id": defect_id, "kind": form.get("kind")}
        if form.get("kind") == "missed":
            box = Box.model_validate({name: form.get(name) for name in ("x1", "y1", "x2", "y2")})
            given |= {"label": form.get("label") or None, "box": box}  # type: ignore[dict-item]  # for pydantic
        body = NewLabelBody.model_validate(given)
    except ValidationError as error:
        reason = error.errors(include_url=False, include_input=False)[0]["msg"].removeprefix("Value error, ")
        raise ProblemError(422, "the label is not valid", reason) from None
    await give_label(request, body)
    return RedirectResponse(page_address(defect_id) + "#labels", 303)


@requires("operator")
async def withdraw(request: Request) -> Response:
    defect_id = await take_label_back(request, request.path_params["number"])
    return RedirectResponse(page_address(defect_id) + "#labels", 303)


@requires("viewer")
async def file(request: Request) -> Response:
    kind, defect_id = request.path_params["kind"], request.path_params["defect_id"].replace("\0", "")
    events = await board_of(request).store.read(lambda c: queries.life(c, defect_id))
    if not events:
        raise ProblemError(404, "no such defect")
    stored, path = evidence_of(request), path_of(events[0])
    content, media = None, "image/jpeg"
    if kind == "marked":
        content = await stored.marked(path)
    elif kind == "small":
        content = await stored.small(path)
    elif kind == "clip":
        content, media = await stored.clip(path), "video/mp4"
    elif kind == "untouched" and (found := await stored.untouched(path)) is not None:
        content, media = found
    if content is None:
        raise ProblemError(404, "no such file", "it is not stored yet, or no longer (sinks.evidence.keep_days)")
    return partial_answer(request, content, media, KEPT_S)


def routes() -> list[Route]:
    return [
        Route("/evidence", gallery),
        Route("/evidence/{defect_id:path}", defect),
        Route("/evidence-files/{kind}/{defect_id:path}", file),
        Route("/labels", label, methods=["POST"]),
        Route("/labels/{number:int}/withdraw", withdraw, methods=["POST"]),
    ]
