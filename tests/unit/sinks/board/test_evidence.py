"""The gallery, a defect's page, its files and labels, as pages and as an API."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import pytest_asyncio
from PIL import Image

from andon.messages import Defect, Detection
from sinks.board.stored_evidence import SMALL_PX
from sinks.channels.files import Files
from sinks.judgement.consequences import Thresholds, evidence_path
from sinks.store.actions import newest_actions
from tests.board import TestBoard, a_board
from tests.fakes import START
from tests.outbox import a_defect, a_part

NUMBERS = range(1, 31)


def picture() -> bytes:
    out = BytesIO()
    Image.new("RGB", (640, 480), (96, 96, 96)).save(out, "JPEG")
    return out.getvalue()


def defects() -> list[Defect]:
    """Thirty, every second one a dent; of each two one was opened at the same moment as the one before."""
    return [
        a_defect(
            number,
            "press-3" if number % 3 else "press-4",
            label="dent" if number % 2 else "scratch",
            severity="critical" if number == 30 else "minor",
            opened_at=START + timedelta(seconds=number // 2),
            part_id="part-5" if number in (5, 6) else None,
        )
        for number in NUMBERS
    ]


@pytest_asyncio.fixture
async def board(tmp_path: Path) -> AsyncIterator[TestBoard]:
    async with a_board(tmp_path, {"line": "press hall"}) as ours:
        await ours.put_defects(*defects())
        yield ours


async def ids(board: TestBoard, query: str) -> list[str]:
    """Of every page, one after the other."""
    found: list[str] = []
    cursor = ""
    async with board.client() as client:
        while True:
            answer = (await client.get(f"/api/v1/defects?{query}&limit=7{cursor}")).json()
            found += [item["defect_id"] for item in answer["items"]]
            if answer["next"] is None:
                return found
            cursor = f"&cursor={answer['next']}"


async def test_pages_follow_each_other_without_a_gap_or_a_repetition(board: TestBoard) -> None:
    every = sorted(defects(), key=lambda defect: (defect.opened_at, defect.defect_id), reverse=True)
    assert await ids(board, "") == [defect.defect_id for defect in every]
    dents = [defect.defect_id for defect in every if defect.label == "dent" and defect.camera_id == "press-4"]
    assert await ids(board, "label=dent&camera=press-4") == dents
    assert len(await ids(board, "severity=critical")) == 1
    assert len(await ids(board, "part=part-5")) == 2
    end = quote((START + timedelta(seconds=3)).isoformat())
    assert len(await ids(board, f"end={end}")) == 5
    assert len(await ids(board, f"start={end}")) == 25


async def test_the_gallery_shows_them_and_says_so_where_none_fits(board: TestBoard) -> None:
    async with board.client() as client:
        page = (await client.get("/evidence")).text
        assert page.count('class="card"') == 24
        assert 'rel="next"' in page
        assert page.count("<option>dent</option>") == 1
        assert "No defect fits" in (await client.get("/evidence?camera=press-9")).text
        wrong = await client.get("/evidence?start=yesterday")
        assert (wrong.status_code, "be read. Clear them" in wrong.text) == (422, True)


async def test_a_defect_has_its_life_part_facts_and_files(board: TestBoard) -> None:
    opened = a_defect(99, part_id="part-5", label="cr&ck", opened_at=START)
    closed = a_defect(99, transition="closed", part_id="part-5", label="cr&ck", opened_at=START)
    await board.put_defects(closed, opened)
    await board.put_parts(a_part(1, "reject", part_id="part-5"))
    shape = Detection(label="cr&ck", confidence=0.9, box=opened.box, polygon=((1, 2), (30, 2), (30, 40)))
    rules = Thresholds(min_confidence=0.25, confirm_frames=4, confirm_window=8)
    board.put_evidence(opened, picture(), (640, 480), model="ab" * 32, thresholds=rules, shape=shape)
    files = Files(board.board.settings.sinks.evidence.url)
    files.write(evidence_path(opened.defect_id, START).replace(".jpg", ".mp4"), bytes(range(100)))
    async with board.client() as client:
        detail = (await client.get(f"/api/v1/defects/{quote(opened.defect_id)}")).json()
        assert [event["transition"] for event in detail["events"]] == ["opened", "closed"]
        assert (detail["part"]["verdict"], detail["facts"]["model"]) == ("reject", "ab" * 32)
        page = (await client.get(f"/evidence/{quote(opened.defect_id)}")).text
        for words in ("cr&amp;ck", "1.0,2.0 30.0,2.0", f"sha256:{'ab' * 32}", "in 4 of 8 frames", "rejected", "<video"):
            assert words in page
        untouched = await client.get(detail["files"]["untouched"])
        assert (untouched.content, untouched.headers["content-type"]) == (picture(), "image/jpeg")
        small = await client.get(f"/evidence-files/small/{quote(opened.defect_id)}")
        with Image.open(BytesIO(small.content)) as image:
            assert max(image.size) == SMALL_PX
        part = await client.get(detail["files"]["clip"], headers={"Range": "bytes=90-"})
        assert (part.status_code, part.content) == (206, bytes(range(90, 100)))
        assert part.headers["content-range"] == "bytes 90-99/100"
        beyond = await client.get(detail["files"]["clip"], headers={"Range": "bytes=100-"})
        assert beyond.status_code == 416


async def test_a_defect_without_a_picture_says_why_and_one_that_there_is_not_is_404(board: TestBoard) -> None:
    first = defects()[0]
    async with board.client() as client:
        assert "No picture is stored" in (await client.get(f"/evidence/{first.defect_id}")).text
        path = evidence_path(first.defect_id, first.opened_at).replace(".jpg", ".expired.json")
        Files(board.board.settings.sinks.evidence.url).write(path, b"{}")
        assert "no longer in Kafka" in (await client.get(f"/evidence/{first.defect_id}")).text
        assert (await client.get(f"/evidence-files/marked/{first.defect_id}")).status_code == 404
        for address in ("/evidence/none", "/evidence-files/marked/none", "/api/v1/defects/none%00"):
            assert (await client.get(address)).status_code == 404


async def test_an_operator_labels_and_a_viewer_does_not(board: TestBoard) -> None:
    await board.add_user("kim", "operator")
    operator, viewer = await board.add_token("kim", "operator"), await board.add_token("kim", "viewer")
    target = defects()[0].defect_id
    box = {"x1": 1, "y1": 2, "x2": 30, "y2": 40}
    async with board.client() as client:

        async def say(token: str, **body: object) -> int:
            headers = {"Authorization": f"Bearer {token}"}
            answer = await client.post("/api/v1/labels", json={"defect_id": target, **body}, headers=headers)
            return answer.status_code

        assert await say(viewer, kind="real") == 403
        assert await say(operator, kind="real") == 200
        assert await say(operator, kind="false_alarm") == 200
        assert await say(operator, kind="missed", label="dent", box=box) == 200
        assert await say(operator, kind="missed", label="dent") == 422
        assert await say(operator, kind="real", label="dent") == 422
        assert await say(operator, kind="missed", label="dent", box={**box, "x2": 1}) == 422
        assert await say(operator, kind="real", defect_id="none") == 404
        mine = {"Authorization": f"Bearer {operator}"}
        held = (await client.get("/api/v1/labels?limit=1", headers=mine)).json()
        assert [(item["kind"], item["author"]) for item in held["items"]] == [("false_alarm", "kim/operator")]
        rest = (await client.get(f"/api/v1/labels?cursor={held['next']}", headers=mine)).json()
        (missed,) = rest["items"]
        assert (missed["box"], missed["label"], rest["next"]) == (box, "dent", None)
        assert (await client.delete(f"/api/v1/labels/{missed['id']}", headers=mine)).status_code == 204
        assert (await client.delete(f"/api/v1/labels/{missed['id']}", headers=mine)).status_code == 409
        assert (await client.delete(f"/api/v1/labels/{10**30}", headers=mine)).status_code == 404
    actions = await board.board.store.read(lambda connection: newest_actions(connection, None, 10))
    done = [(action.action, action.user, action.target) for _, action in actions]
    assert done == [("label.withdraw", "kim/operator", target), *[("label.add", "kim/operator", target)] * 3]


async def test_the_shift_is_a_page_a_table_and_an_answer(board: TestBoard) -> None:
    await board.put_parts(a_part(1), a_part(2), a_part(3, "reject"))
    async with board.client() as client:
        query = f"shift=day&date={START.date()}"
        answer = (await client.get(f"/api/v1/shift?{query}")).json()
        assert answer["counts"]["yield_share"] == 2 / 3
        page = (await client.get(f"/shift?{query}")).text
        assert ("66.7" in page, "dent" in page) == (True, True)
        table = await client.get(f"/shift.csv?{query}")
        assert "parts,all,passed,2" in table.text
        assert "shift-2026-03-01-day.csv" in table.headers["content-disposition"]
        assert (await client.get(f"/shift/numbers?{query}")).text.count("<h1") == 1
        for wrong in ("shift=noon", "date=yesterday", "date=9999-12-31"):
            assert (await client.get(f"/shift?{wrong}")).status_code == 404
        assert (await client.get("/api/v1/shift?shift=noon")).status_code == 404
        assert json.loads((await client.get("/api/v1/shift?shift=last")).text)["counts"]["parts"] == 0
