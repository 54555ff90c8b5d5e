"""Who may do what: roles, CSRF, tokens, guesses, sessions."""

import asyncio
import json
from functools import partial
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from andon.errors import ConfigError
from sinks.board import api
from sinks.board.api.operation import operation
from sinks.board.app import make_app
from sinks.board.role import prune_actions_once, require_safe
from sinks.board.security.login import _safe
from sinks.board.security.roles import requires
from sinks.commands.user import user
from sinks.store.actions import Action, add_action, newest_actions
from sinks.store.users import change_user
from tests.board import TestBoard, a_board
from tests.fakes import FakeClock

PASSWORD = "eight words are enough"


@requires("operator")
async def act(request: Request) -> Response:
    return Response("done")


class Nothing(BaseModel):
    pass


@operation("POST", "/act", role="operator", summary="Act")
async def act_by_api(request: Request) -> None:
    return None


@operation("POST", "/engineer", role="engineer", summary="Act")
async def engineer_by_api(request: Request) -> None:
    return None


def acting(ours: TestBoard, monkeypatch: pytest.MonkeyPatch) -> TestBoard:
    """With actions of operators and engineers."""
    monkeypatch.setattr(api, "OPERATIONS", (act_by_api, engineer_by_api))
    monkeypatch.setattr(api.routes, "__defaults__", ((act_by_api, engineer_by_api),))
    ours.app = make_app(ours.board)
    ours.app.router.routes.insert(0, Route("/act", act, methods=["POST"]))
    return ours


def token_in(page: str) -> str:
    return page.split('name="csrf-token" content="')[1].split('"', maxsplit=1)[0]


async def logged_in(client: httpx.AsyncClient, name: str, password: str = PASSWORD) -> str:
    """The CSRF token of the session that this begins."""
    form = {"name": name, "password": password, "csrf": token_in((await client.get("/login")).text)}
    assert (await client.post("/login", data=form)).status_code == 303
    return token_in((await client.get("/")).text)


async def test_a_request_that_changes_something_takes_a_role_and_the_session_s_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_board(tmp_path) as ours:
        acting(ours, monkeypatch)
        await ours.add_user("vera", "viewer", PASSWORD)
        await ours.add_user("otto", "operator", PASSWORD)
        async with ours.client() as vera, ours.client() as otto:
            assert (await otto.post("/act")).status_code == 401
            of_vera, of_otto = await logged_in(vera, "vera"), await logged_in(otto, "otto")
            assert (await otto.post("/act")).status_code == 403
            assert (await otto.post("/act", data={"csrf": of_vera})).status_code == 403
            assert (await otto.post("/act", data={"csrf": of_otto})).text == "done"
            assert (await otto.post("/act", headers={"x-csrf-token": of_otto})).text == "done"
            refused = await vera.post("/act", data={"csrf": of_vera})
            assert (refused.status_code, "this takes operator" in refused.text) == (403, True)
            by_api = await otto.post("/api/v1/act")
            assert (by_api.status_code, by_api.json()["title"]) == (403, "the page is out of date")
            assert (await otto.post("/api/v1/act", headers={"x-csrf-token": of_otto})).status_code == 204
            assert (await otto.post("/api/v1/engineer", headers={"x-csrf-token": of_otto})).status_code == 403


async def test_a_board_that_is_open_to_its_machine_still_refuses_other_sites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_board(tmp_path) as ours:
        acting(ours, monkeypatch)
        async with ours.client() as client:
            assert (await client.post("/act")).status_code == 403
            assert (await client.post("/api/v1/act")).status_code == 403
            token = token_in((await client.get("/")).text)
            assert (await client.post("/act", data={"csrf": token})).text == "done"


async def test_a_token_needs_no_csrf_and_may_do_no_more_than_its_user_until_it_expires(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    async with a_board(tmp_path, clock=clock) as ours:
        acting(ours, monkeypatch)
        await ours.add_user("otto", "operator")
        headers = {"authorization": f"Bearer {await ours.add_token('otto', 'admin', 60.0)}"}
        async with ours.client() as client:
            assert (await client.post("/api/v1/act", headers=headers)).status_code == 204
            assert (await client.post("/api/v1/engineer", headers=headers)).status_code == 403
            clock.advance(61.0)
            assert (await client.post("/api/v1/act", headers=headers)).status_code == 401


async def test_who_guesses_a_password_must_wait(tmp_path: Path) -> None:
    clock = FakeClock()
    async with a_board(tmp_path, {"board": {"login_attempts": 2}}, clock=clock) as ours, ours.client() as client:
        await ours.add_user("otto", "operator", PASSWORD)
        form = {"name": "otto", "password": "wrong", "csrf": token_in((await client.get("/login")).text)}
        assert [(await client.post("/login", data=form)).status_code for _ in range(3)] == [401, 401, 429]
        right = form | {"password": PASSWORD}
        assert (await client.post("/login", data=right)).status_code == 429
        clock.advance(901.0)
        assert (await client.post("/login", data=right)).status_code == 303


async def test_a_new_password_and_a_log_out_end_sessions(tmp_path: Path) -> None:
    clock = FakeClock()
    async with a_board(tmp_path, clock=clock) as ours, ours.client() as client, ours.client() as other:
        await ours.add_user("otto", "operator", PASSWORD)
        token = await logged_in(client, "otto")
        await logged_in(other, "otto")
        assert (await client.post("/logout", data={"csrf": token})).headers["location"] == "/login"
        assert (await client.get("/api/v1/line")).status_code == 401
        assert (await other.get("/api/v1/line")).status_code == 200
        clock.advance(10.0)
        valid_from = {"valid_from": clock.now()}
        await ours.board.store.write(lambda connection: change_user(connection, "otto", valid_from))
        clock.advance(10.0)
        assert (await other.get("/api/v1/line")).status_code == 401


async def test_a_log_in_ends_after_a_shift(tmp_path: Path) -> None:
    clock = FakeClock()
    async with a_board(tmp_path, {"board": {"session_hours": 12}}, clock=clock) as ours, ours.client() as client:
        await ours.add_user("otto", "operator", PASSWORD)
        await logged_in(client, "otto")
        clock.advance(11.9 * 3600)
        assert (await client.get("/api/v1/line")).status_code == 200
        clock.advance(0.2 * 3600)
        assert (await client.get("/api/v1/line")).status_code == 401


async def test_users_and_tokens_are_made_and_removed_on_the_command_line(tmp_path: Path) -> None:
    async with a_board(tmp_path) as ours, ours.client() as client:
        line = ["-c", str(a_line(tmp_path, ours))]
        assert "no users" in await run("list", *line)
        await run("add", "anna", "--role", "engineer", *line, given=f"{PASSWORD}\n")
        token = (await run("token", "anna", "--name", "plc", "--role", "operator", *line)).strip()
        ours.board.guard.directory.forget()
        answer = await client.get("/api/v1/line", headers={"authorization": f"Bearer {token}"})
        assert (answer.json()["user"], answer.json()["role"]) == ("anna/plc", "operator")
        shown = await run("list", "--json", *line)
        assert [(each["name"], each["role"]) for each in json.loads(shown)] == [("anna", "engineer")]
        assert token not in shown
        assert "argon2" not in shown
        await run("role", "anna", "--role", "viewer", *line)
        await run("token", "anna", "--name", "plc", "--role", "operator", "--revoke", *line)
        ours.board.guard.directory.forget()
        assert (await client.get("/api/v1/line", headers={"authorization": f"Bearer {token}"})).status_code == 401
        await run("remove", "anna", *line)
        ours.board.guard.directory.forget()
        assert (await client.get("/api/v1/line")).json()["user"] == "this machine"


@pytest.mark.parametrize(
    ("arguments", "given", "complaint"),
    [
        (["add", "anna", "--role", "viewer"], "short\n", "a password has 10 to 200 characters"),
        (["add", "a/b", "--role", "viewer"], f"{PASSWORD}\n", "a name has letters"),
        (["remove", "nobody"], "", "there is no user 'nobody'"),
        (["token", "nobody", "--name", "plc", "--role", "viewer"], "", "there is no user 'nobody'"),
    ],
)
async def test_a_mistake_is_said_in_one_line(tmp_path: Path, arguments: list[str], given: str, complaint: str) -> None:
    async with a_board(tmp_path) as ours:
        result = await asyncio.to_thread(
            CliRunner().invoke, user, [*arguments, "-c", str(a_line(tmp_path, ours))], given
        )
        assert isinstance(result.exception, ConfigError)
        assert complaint in str(result.exception)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"host": "127.0.0.1"}, None),
        ({"host": "::1"}, None),
        ({"host": "localhost"}, None),
        ({"host": "0.0.0.0"}, "has no users"),
        ({"host": "0.0.0.0", "behind_proxy": True}, "has no users"),
    ],
)
async def test_a_board_that_others_reach_takes_users(
    tmp_path: Path, settings: dict[str, object], complaint: str | None
) -> None:
    async with a_board(tmp_path, {"board": settings}) as ours:
        if complaint is None:
            await require_safe(ours.board)
            return
        with pytest.raises(ConfigError, match=complaint):
            await require_safe(ours.board)


async def test_a_board_that_others_reach_takes_tls_or_a_proxy(tmp_path: Path) -> None:
    async with a_board(tmp_path, {"board": {"host": "0.0.0.0"}}) as ours:
        await ours.add_user("anna", "admin")
        with pytest.raises(ConfigError, match=r"board\.tls, or board\.behind_proxy"):
            await require_safe(ours.board)
    async with a_board(tmp_path, {"board": {"host": "0.0.0.0", "behind_proxy": True}}) as ours:
        await require_safe(ours.board)


async def test_behind_tls_the_session_s_cookie_crosses_no_plain_connection(tmp_path: Path) -> None:
    async with a_board(tmp_path, {"board": {"behind_proxy": True}}) as ours, ours.client() as client:
        answer = await client.get("/")
        assert "secure" in answer.headers["set-cookie"].lower().split("; ")
        assert "max-age" in answer.headers["strict-transport-security"]


@pytest.mark.parametrize("following", ["https://evil.example", "//evil.example", "/\\evil.example", "", "/a\nb"])
def test_after_the_log_in_nobody_lands_on_another_site(following: str) -> None:
    assert _safe(following) == "/"
    assert _safe("/evidence?camera=press-3") == "/evidence?camera=press-3"


@pytest.mark.parametrize(("address", "status"), [("10.1.7.20", 200), ("10.1.8.1", 401), ("nonsense", 401)])
async def test_a_wall_screen_may_look_by_its_address_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, status: int
) -> None:
    async with a_board(tmp_path, {"board": {"screen_addresses": ["10.1.7.0/24"]}}) as ours:
        acting(ours, monkeypatch)
        await ours.add_user("anna", "admin")
        transport = httpx.ASGITransport(ours.app, client=(address, 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://board") as screen:
            answer = await screen.get("/api/v1/openapi.json")
            looked = await screen.get("/", headers={"accept": "text/html"})
            assert (looked.status_code == 200) == (status == 200)
            assert answer.status_code == 200
            csrf = token_in((await screen.get("/login")).text)
            assert (await screen.post("/act", data={"csrf": csrf})).status_code == (403 if status == 200 else 401)


async def test_admins_see_who_did_what_page_by_page(tmp_path: Path) -> None:
    clock = FakeClock()
    async with a_board(tmp_path, clock=clock) as ours, ours.client() as client:
        await ours.add_user("anna", "admin", PASSWORD)
        await ours.add_user("otto", "engineer", PASSWORD)
        async with ours.client() as other:
            await logged_in(other, "otto")
            assert (await other.get("/actions")).status_code == 403
            assert (await other.get("/api/v1/actions")).status_code == 403
        await logged_in(client, "anna")
        for number in range(3):
            clock.advance(1.0)
            entry = Action(clock.now(), "otto", "session", "10.0.0.7", "alarm.shelve", f"alarm {number}", {"hours": 2})
            await ours.board.store.write(partial(add_action, action=entry))
        first = (await client.get("/api/v1/actions?limit=3")).json()
        assert [item["target"] for item in first["items"]] == ["alarm 2", "alarm 1", "alarm 0"]
        assert first["items"][0]["detail"] == {"hours": 2}
        rest = (await client.get("/api/v1/actions", params={"cursor": first["next"]})).json()
        assert [(item["action"], item["user"]) for item in rest["items"]] == [
            ("session.begin", "anna"),
            ("session.begin", "otto"),
        ]
        assert rest["next"] is None
        assert (await client.get("/api/v1/actions?cursor=nonsense")).status_code == 422
        page = (await client.get("/actions")).text
        assert "alarm.shelve" in page
        assert "hours: 2" in page


async def test_old_actions_are_deleted(tmp_path: Path) -> None:
    clock = FakeClock()
    async with a_board(tmp_path, {"board": {"actions_days": 1}}, clock=clock) as ours:
        for hours in (0, 30, 50):
            clock.advance(hours * 3600.0 - clock.monotonic())
            entry = Action(clock.now(), "otto", "session", "", "alarm.shelve", f"after {hours} h", {})
            await ours.board.store.write(partial(add_action, action=entry))
        await prune_actions_once(ours.board)
        left = await ours.board.store.read(lambda connection: newest_actions(connection, None, 10))
        assert [action.target for _, action in left] == ["after 50 h", "after 30 h"]


def a_line(folder: Path, ours: TestBoard) -> Path:
    line = folder / "line.yaml"
    line.write_text(f"sinks: {{store: '{ours.board.settings.sinks.store.get_secret_value()}'}}\n")
    return line


async def run(*arguments: str, given: str = "") -> str:
    """The output of `andon user`, which has an event loop of its own."""
    result = await asyncio.to_thread(CliRunner().invoke, user, list(arguments), given)
    assert result.exit_code == 0, result.output or result.exception
    return str(result.stdout)
