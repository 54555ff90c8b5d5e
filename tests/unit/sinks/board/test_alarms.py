"""Alarms on the board: the page, its buttons, the API, and the news that they have changed."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from andon.alarms import Alarm, alarm_id
from sinks.board.alarm_groups import grouped
from sinks.board.line_state import BoardAlarm
from sinks.board.pages.alarms import watch
from sinks.board.standing_alarms import StandingAlarms
from sinks.store.actions import newest_actions
from sinks.store.alarm_rows import standing
from tests.board import TestBoard, a_board
from tests.fakes import START


def alarm(camera: str, kind: Any = "defect", label: str = "scratch", **changes: Any) -> Alarm:
    name = alarm_id(camera, kind, label)
    fields = {
        "event_id": f"{name}/1",
        "alarm_id": name,
        "camera_id": camera,
        "kind": kind,
        "label": label,
        "severity": "major",
        "state": "unacknowledged",
        "active": True,
        "count": 1,
        "change": "raised",
        "raised_at": START,
        "at": START,
    }
    return Alarm.model_validate(fields | changes)


async def token_of(client: Any) -> dict[str, str]:
    page = (await client.get("/alarms")).text
    found = re.search(r'name="csrf-token" content="([^"]+)"', page)
    assert found is not None
    return {"x-csrf-token": found[1]}


FLOOD = [alarm(f"cam-{number}", "blind", "offline", severity="critical") for number in range(40)]


def test_a_flood_is_one_group_and_what_waits_for_the_operator_comes_first() -> None:
    known = alarm("press-1", state="acknowledged", severity="critical")
    groups = grouped([known, alarm("press-2", label="dent"), *FLOOD, alarm("press-3")])
    assert [(group.kind, group.label, len(group.alarms)) for group in groups] == [
        ("blind", "offline", 40),
        ("defect", "dent", 1),
        ("defect", "scratch", 2),
    ]
    assert groups[2].severity == "critical"
    assert [item.camera_id for item in groups[2].waiting] == ["press-3"]


async def test_the_page_says_that_nothing_stands_or_shows_each_cause_once(tmp_path: Path) -> None:
    async with a_board(tmp_path) as ours, ours.client() as client:
        assert "no alarm stands" in (await client.get("/alarms")).text
        await ours.put_alarms(*FLOOD, alarm("press-1"), alarm("press-2", state="normal", active=False))
        page = (await client.get("/alarms/groups")).text
        assert page.count("<section") == 2
        assert "41 alarms wait for you" in page
        assert "28 more" in page
        assert "press-2" not in page


async def test_the_page_of_the_line_has_what_nobody_has_acknowledged(tmp_path: Path) -> None:
    async with a_board(tmp_path) as ours, ours.client() as client:
        await ours.put_alarms(alarm("press-1"), alarm("press-2", label="dent", state="acknowledged"))
        page = (await client.get("/alarms/unacknowledged")).text
        assert "scratch" in page
        assert "dent" not in page
        assert (await client.get("/alarms/unacknowledged?group=nowhere/0")).status_code == 404
        assert "<a " not in (await client.get("/alarms/unacknowledged?kiosk=hall")).text
        alarmed = await StandingAlarms(ours.board.store).read()
        assert [item.standing for item in alarmed] == [BoardAlarm("major", START)] * 2


async def pressed(ours: TestBoard, client: Any, **fields: Any) -> Any:
    return await client.post("/alarms/act", data=fields, headers=await token_of(client) | {"hx-request": "true"})


async def test_a_button_sends_a_request_for_each_camera_and_keeps_who_did_it(tmp_path: Path) -> None:
    async with a_board(tmp_path) as ours, ours.client() as client:
        names = ["press-1/defect/scratch", "press-2/defect/scratch", "press-1/blind"]
        answer = await pressed(ours, client, action="acknowledge", alarm=names, note="seen", minutes="60")
        assert (answer.status_code, "Sent" in answer.text) == (200, True)
        first, second = ours.requests.sent
        assert (first.camera_id, first.alarms, first.by, first.note) == (
            "press-1",
            ("press-1/defect/scratch", "press-1/blind"),
            "this machine",
            "seen",
        )
        assert (second.camera_id, second.alarms, second.action) == ("press-2", (names[1],), "acknowledge")
        kept = await ours.board.store.read(lambda connection: newest_actions(connection, None, 10))
        assert {action.action for _, action in kept} == {"alarm.acknowledge"}
        shelved = await pressed(ours, client, action="shelve", alarm=names[0], minutes="15")
        assert shelved.status_code == 200
        assert ours.requests.sent[-1].for_s == 900


@pytest.mark.parametrize(
    "fields",
    [{"action": "check", "alarm": "a/blind"}, {"action": "acknowledge", "alarm": "a/nothing"}, {"action": "shelve"}],
    ids=str,
)
async def test_a_wrong_order_is_refused(tmp_path: Path, fields: dict[str, str]) -> None:
    async with a_board(tmp_path) as ours, ours.client() as client:
        assert (await pressed(ours, client, **fields)).status_code == 422
        assert not ours.requests.sent


async def test_while_the_broker_is_away_the_button_says_so(tmp_path: Path) -> None:
    async with a_board(tmp_path) as ours, ours.client() as client:
        ours.requests.away = True
        assert (await pressed(ours, client, action="acknowledge", alarm="press-1/blind")).status_code == 503


async def test_a_viewer_acts_on_nothing_and_an_operator_takes_nothing_out_of_service(tmp_path: Path) -> None:
    async with a_board(tmp_path) as ours, ours.client() as client:
        await ours.add_user("eve", "admin")
        statuses = []
        for role in ("viewer", "operator", "engineer"):
            await ours.add_user(role, role)
            bearer = {"authorization": f"Bearer {await ours.add_token(role, role)}"}
            for action in ("acknowledge", "out_of_service"):
                body = {"action": action, "alarms": ["press-1/blind"]}
                statuses.append((await client.post("/api/v1/alarms/actions", json=body, headers=bearer)).status_code)
        assert statuses == [403, 403, 202, 403, 202, 202]
        assert [request.by.partition("/")[0] for request in ours.requests.sent] == ["operator", "engineer", "engineer"]


async def test_the_api_lists_alarms_and_what_happened_part_by_part(tmp_path: Path) -> None:
    async with a_board(tmp_path) as ours, ours.client() as client:
        steps = [
            alarm("press-1", event_id=f"e{number}", at=START + timedelta(seconds=number // 2)) for number in range(5)
        ]
        await ours.put_alarms(*steps, alarm("press-2", state="normal"), alarm("press-3", "reject", "part"))
        first = (await client.get("/api/v1/alarms?limit=1")).json()
        second = (await client.get("/api/v1/alarms", params={"limit": 1, "cursor": first["next"]})).json()
        assert [first["items"][0]["camera_id"], second["items"][0]["camera_id"], second["next"]] == [
            "press-1",
            "press-3",
            None,
        ]
        assert len((await client.get("/api/v1/alarms?state=normal")).json()["items"]) == 1
        ids: list[str] = []
        query: dict[str, str] | None = {"camera": "press-1", "limit": "2"}
        while query is not None:
            part = (await client.get("/api/v1/alarms/events", params=query)).json()
            ids += [item["event_id"] for item in part["items"]]
            query = query | {"cursor": part["next"]} if part["next"] else None
        assert ids == ["e4", "e3", "e2", "e1", "e0"]
        assert (await client.get("/alarms/history")).text.count("<tr>") == 8


async def test_the_board_is_told_once_when_alarms_change(tmp_path: Path) -> None:
    async with a_board(tmp_path) as ours:
        ((_, look),) = watch(ours.board)
        with ours.board.hub.subscribed((), None) as news:
            await look()
            await ours.put_alarms(alarm("press-1"))
            await look()
            await look()
            assert [message.topic for message in news.waiting] == ["hello", "alarms"]


async def test_what_is_normal_does_not_stand(tmp_path: Path) -> None:
    async with a_board(tmp_path) as ours:
        await ours.put_alarms(alarm("press-1"), alarm("press-1", event_id="later", state="normal", active=False))
        assert await ours.board.store.read(standing) == []
