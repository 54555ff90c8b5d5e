"""Defects, their evidence, and labels."""

from starlette.requests import Request

from sinks.board.api.operation import operation
from sinks.board.board import board_of
from sinks.board.cursor import decode, encode
from sinks.board.defect_details import defect_detail, defect_page, give_label, take_label_back
from sinks.board.models.evidence import (
    DefectDetail,
    DefectPage,
    DefectQuery,
    LabelPage,
    LabelQuery,
    LabelView,
    NewLabelBody,
)
from sinks.store.labels import labels_after


@operation("GET", "/defects", role="viewer", summary="Defects, the newest first, each as its last event says")
async def read_defects(request: Request, query: DefectQuery) -> DefectPage:
    return await defect_page(request, query)


@operation(
    "GET",
    "/defects/{defect_id:path}",
    role="viewer",
    summary="A defect: its life, part, evidence and labels",
    problems=(404,),
)
async def read_defect(request: Request) -> DefectDetail:
    return await defect_detail(request, request.path_params["defect_id"])


@operation("GET", "/labels", role="viewer", summary="Labels that hold, in the order in which they were given")
async def read_labels(request: Request, query: LabelQuery) -> LabelPage:
    after = decode(query.cursor, int)[0] if query.cursor else 0
    number = after if isinstance(after, int) else 0
    found = await board_of(request).store.read(lambda c: labels_after(c, number, query.limit + 1, query.since))
    shown = [LabelView.of(item) for item in found[: query.limit]]
    return LabelPage(items=shown, next=encode(shown[-1].id) if len(found) > query.limit else None)


@operation("POST", "/labels", role="operator", summary="Say what a defect's picture shows", problems=(404,))
async def add_label(request: Request, body: NewLabelBody) -> LabelView:
    return await give_label(request, body)


@operation("DELETE", "/labels/{number:int}", role="operator", summary="Withdraw a label", problems=(404, 409))
async def withdraw_label(request: Request) -> None:
    await take_label_back(request, request.path_params["number"])


OPERATIONS = (read_defects, read_defect, read_labels, add_label, withdraw_label)
