"""Defects for people: pages of the gallery, one with all that is known of it, and labels on it."""

from datetime import UTC, datetime
from urllib.parse import quote

from sqlalchemy import Connection
from starlette.requests import Request

from andon.errors import RetryableError
from andon.messages import Defect, PartVerdict
from sinks.board.board import board_of
from sinks.board.cursor import decode, encode
from sinks.board.models.evidence import DefectDetail, DefectFiles, DefectPage, DefectQuery, LabelView, NewLabelBody
from sinks.board.problems import ProblemError
from sinks.board.queries import defects as queries
from sinks.board.queries.defects import GalleryFilter, GalleryPosition
from sinks.board.security.roles import user_of
from sinks.board.stored_evidence import StoredEvidence, path_of
from sinks.store.actions import add_action
from sinks.store.labels import NewLabel, StoredLabel, add_label, label, labels_of, withdraw_label

MOST_NUMBER = 2**63 - 1
KINDS = ("marked", "untouched", "small", "clip")


def evidence_of(request: Request) -> StoredEvidence:
    found: StoredEvidence = request.app.state.evidence
    return found


async def defect_page(request: Request, query: DefectQuery) -> DefectPage:
    """A page of the gallery, the newest first."""
    after = None
    if query.cursor:
        after = _place(query.cursor)
    wanted = GalleryFilter(query.camera, query.label, query.severity, query.part, query.start, query.end)
    found = await board_of(request).store.read(lambda c: queries.page(c, wanted, after, query.limit + 1))
    shown = found[: query.limit]
    more = len(found) > query.limit
    return DefectPage(items=shown, next=encode(shown[-1].opened_at, shown[-1].defect_id) if more else None)


def _place(cursor: str) -> GalleryPosition:
    opened_at, defect_id = decode(cursor, datetime, str)
    try:
        assert isinstance(opened_at, datetime)
        return GalleryPosition(opened_at.astimezone(UTC), str(defect_id).replace("\0", ""))
    except OverflowError:
        raise ProblemError(422, "the cursor is not valid") from None


async def defect_detail(request: Request, defect_id: str) -> DefectDetail:
    """Raises ProblemError for a defect that there is not."""
    defect_id = defect_id.replace("\0", "")
    events, part, labels = await board_of(request).store.read(lambda c: _known(c, defect_id))
    if not events:
        raise ProblemError(404, "no such defect", "there is none, or it is older than sinks.keep_days.defects")
    stored, path = evidence_of(request), path_of(events[0])
    facts = await stored.facts(path)
    return DefectDetail(
        defect=events[-1],
        events=events,
        part=part,
        facts=facts,
        files=DefectFiles(
            marked=file_address("marked", defect_id) if await stored.has_marked(path) else None,
            untouched=file_address("untouched", defect_id) if facts else None,
            clip=file_address("clip", defect_id) if await stored.has_clip(path) else None,
        ),
        expired=await stored.has_expired(path),
        labels=[LabelView.of(item) for item in labels],
    )


def _known(connection: Connection, defect_id: str) -> tuple[list[Defect], PartVerdict | None, list[StoredLabel]]:
    events = queries.life(connection, defect_id)
    part_id = next((event.part_id for event in reversed(events) if event.part_id), None)
    part = None if part_id is None else queries.part_of(connection, part_id)
    return events, part, labels_of(connection, [defect_id]) if events else []


def file_address(kind: str, defect_id: str) -> str:
    return f"/evidence-files/{kind}/{quote(defect_id)}"


async def give_label(request: Request, body: NewLabelBody) -> LabelView:
    """Keep a label, and in the same transaction that somebody gave it."""
    board, author = board_of(request), user_of(request).name
    events = await board.store.read(lambda c: queries.life(c, body.defect_id))
    if not events:
        raise ProblemError(404, "no such defect")
    new = NewLabel(body.defect_id, events[0].camera_id, body.kind, author, board.clock.now(), body.label, body.box)
    action = board.action(request, "label.add", body.defect_id, {"kind": body.kind, "label": body.label})

    def keep(connection: Connection) -> StoredLabel | None:
        add_action(connection, action)
        return label(connection, add_label(connection, new))

    kept = await board.store.write(keep)
    if kept is None:
        raise RetryableError("the label was not kept")
    return LabelView.of(kept)


async def take_label_back(request: Request, number: int) -> str:
    """Withdraw a label. Returns the id of its defect. Raises ProblemError where there is none that holds."""
    board, author = board_of(request), user_of(request).name
    number = min(number, MOST_NUMBER)
    known = await board.store.read(lambda c: label(c, number))
    if known is None:
        raise ProblemError(404, "no such label")
    defect_id = known.content.defect_id
    action = board.action(request, "label.withdraw", defect_id, {"label": number, "kind": known.content.kind})

    def withdraw(connection: Connection) -> bool:
        held = withdraw_label(connection, number, author, board.clock.now())
        if held:
            add_action(connection, action)
        return held

    if not await board.store.write(withdraw):
        raise ProblemError(409, "this label was withdrawn before")
    return defect_id
