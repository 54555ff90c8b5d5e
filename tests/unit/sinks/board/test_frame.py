"""What holds for every page: roles, CSRF, headers, languages, errors."""

from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sinks.board import app
from sinks.board.i18n import missing
from sinks.board.rendering import STATIC
from tests.board import a_board, texts


async def test_without_users_this_machine_is_an_engineer_and_is_told_so(tmp_path: Path) -> None:
    async with a_board(tmp_path) as ours, ours.client() as client:
        answer = await client.get("/", headers={"accept-language": "de-AT,de;q=0.9"})
        assert answer.status_code == 200
        assert "offen für diesen Rechner, ohne Anmeldung" in answer.text
        assert (await client.get("/api/v1/line")).json()["role"] == "engineer"


async def test_a_name_that_somebody_else_lets_point_here_is_not_answered(tmp_path: Path) -> None:
    async with a_board(tmp_path) as ours, ours.client() as client:
        assert (await client.get("/", headers={"host": "evil.example:8080"})).status_code == 400
        assert (await client.get("/", headers={"host": "localhost:8080"})).status_code == 200
        assert (await client.get("/", headers={"host": "[::1]:8080"})).status_code == 200


async def test_every_answer_forbids_scripts_that_stand_in_a_page(tmp_path: Path) -> None:
    async with a_board(tmp_path) as ours, ours.client() as client:
        for address in ("/", "/nothing-here", "/api/v1/line", "/static/board.js"):
            answer = await client.get(address)
            assert "script-src 'self';" in answer.headers["content-security-policy"], address
            assert answer.headers["x-content-type-options"] == "nosniff", address


def test_no_template_holds_a_script_or_a_style_that_the_policy_would_stop() -> None:
    for template in (STATIC.parent / "templates").glob("*.html"):
        lowered = template.read_text("utf-8").lower()
        assert all(mark not in lowered for mark in (" style=", "<style", " onclick=", "hx-on", "js:")), template.name
        assert "<script>" not in lowered, template.name


@pytest.mark.parametrize("language", ["de"])
def test_a_catalogue_has_every_text_and_no_other(language: str) -> None:
    assert missing(language) == ([], [])


async def test_a_handler_that_does_not_say_who_may_call_it_is_refused() -> None:
    async def careless(request: Request) -> Response:
        return Response()

    with pytest.raises(TypeError, match="/careless"):
        app._require_marks([Route("/careless", careless)])


async def test_whoever_is_unknown_logs_in_and_comes_back(tmp_path: Path) -> None:
    async with a_board(tmp_path) as ours, ours.client() as client:
        await ours.add_user("anna", "operator", "eight words are enough")
        sent = await client.get("/?kiosk=hall-2")
        assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=/%3Fkiosk%3Dhall-2")
        page = await client.get(sent.headers["location"])
        token = page.text.split('name="csrf" value="')[1].split('"')[0]
        form = {"name": "anna", "password": "eight words are enough", "next": "/?kiosk=hall-2"}
        assert (await client.post("/login", data=form)).status_code == 403
        wrong = await client.post("/login", data=form | {"csrf": token, "password": "wrong"})
        assert wrong.status_code == 401
        assert "do not belong together" in wrong.text
        right = await client.post("/login", data=form | {"csrf": token})
        assert (right.status_code, right.headers["location"]) == (303, "/?kiosk=hall-2")
        assert "httponly; samesite=lax" in right.headers["set-cookie"]
        assert (await client.get("/api/v1/line")).json()["user"] == "anna"


async def test_an_api_without_a_log_in_answers_with_a_problem(tmp_path: Path) -> None:
    async with a_board(tmp_path) as ours, ours.client() as client:
        await ours.add_user("anna", "operator")
        token = await ours.add_token("anna", "viewer")
        for headers in ({}, {"authorization": "Bearer nonsense"}):
            answer = await client.get("/api/v1/line", headers=headers)
            assert answer.status_code == 401
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["title"] == "not logged in"
        good = await client.get("/api/v1/line", headers={"authorization": f"Bearer {token}"})
        assert (good.json()["user"], good.json()["role"]) == ("anna/viewer", "viewer")


async def test_a_page_names_the_news_that_it_was_rendered_after(tmp_path: Path) -> None:
    """Else what is published before its stream opens would be lost for it."""
    async with a_board(tmp_path) as ours, ours.client() as client:
        ours.board.hub.publish("alarms", {})
        assert f'data-last="{ours.board.hub.last_id}"' in (await client.get("/")).text
        with ours.board.hub.subscribed((), ours.board.hub.last_id) as viewer:
            ours.board.hub.publish("alarms", {"n": 2})
            assert b'"n":2' in (await viewer.next()).encoded


async def test_an_unknown_page_says_so_in_the_board_s_own_look(tmp_path: Path) -> None:
    async with a_board(tmp_path) as ours, ours.client() as client:
        answer = await client.get("/nothing-here")
        assert answer.status_code == 404
        assert any("404: not found" in line for line in texts(answer))
