"""Log-in at an OpenID Connect provider, with a real one on loopback."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from andon.settings import BoardSettings
from sinks.board.server import served
from tests.board import TestBoard, a_board
from tests.oidc_provider import CLIENT, SECRET, OidcProvider

ANNA = {"sub": "4711", "preferred_username": "anna", "groups": ["line-3", "shift-leads"]}


@pytest.fixture
async def provider() -> AsyncIterator[OidcProvider]:
    provider = OidcProvider(ANNA)
    async with served(provider.app(), BoardSettings(port=0)) as url:
        provider.issuer = url
        yield provider


def a_board_of(folder: Path, provider: OidcProvider, **changes: Any) -> Any:
    oidc: dict[str, Any] = {"issuer": provider.issuer, "client_id": CLIENT, "client_secret": SECRET}
    oidc |= {"roles": {"shift-leads": "engineer", "line-3": "operator"}, **changes}
    return a_board(folder, {"board": {"oidc": oidc}})


async def logged_in(ours: TestBoard, client: httpx.AsyncClient) -> httpx.Response:
    """The board's answer when the provider has sent the browser back."""
    away = await client.get("/login/oidc?next=/actions")
    assert away.status_code == 302, away.text
    async with httpx.AsyncClient() as at_provider:
        back = await at_provider.get(away.headers["location"])
    return await client.get(back.headers["location"])


async def test_a_person_gets_the_highest_role_of_their_groups(tmp_path: Path, provider: OidcProvider) -> None:
    async with a_board_of(tmp_path, provider) as ours, ours.client() as client:
        assert (await client.get("/")).headers["location"].startswith("/login")
        assert 'href="/login/oidc?next=/"' in (await client.get("/login")).text
        answer = await logged_in(ours, client)
        assert (answer.status_code, answer.headers["location"]) == (303, "/actions")
        line = (await client.get("/api/v1/line")).json()
        assert (line["user"], line["role"]) == ("anna", "engineer")


async def test_whoever_has_no_role_stays_out_unless_there_is_a_default(tmp_path: Path, provider: OidcProvider) -> None:
    provider.claims = {"sub": "1", "email": "bert@example.org", "groups": "visitors"}
    async with a_board_of(tmp_path, provider) as ours, ours.client() as client:
        answer = await logged_in(ours, client)
        assert answer.status_code == 403
        assert "does not let you in" in answer.text
    async with a_board_of(tmp_path, provider, default_role="viewer") as ours, ours.client() as client:
        await logged_in(ours, client)
        assert (await client.get("/api/v1/line")).json()["role"] == "viewer"


@pytest.mark.parametrize("forged", ["state", "audience", "secret", "replay"])
async def test_an_answer_that_is_not_the_provider_s_own_lets_nobody_in(
    tmp_path: Path, provider: OidcProvider, forged: str
) -> None:
    changes = {"client_secret": "wrong"} if forged == "secret" else {}
    provider.audience = "another client" if forged == "audience" else CLIENT
    async with a_board_of(tmp_path, provider, **changes) as ours, ours.client() as client:
        away = await client.get("/login/oidc")
        async with httpx.AsyncClient() as at_provider:
            back = httpx.URL((await at_provider.get(away.headers["location"])).headers["location"])
        if forged == "state":
            back = back.copy_set_param("state", "guessed")
        if forged == "replay":  # in another browser
            client.cookies.clear()
        assert (await client.get(str(back))).status_code == 403
        assert (await client.get("/api/v1/line")).status_code == 401


async def test_a_provider_that_is_away_is_said_on_the_page(tmp_path: Path, provider: OidcProvider) -> None:
    async with a_board_of(tmp_path, provider, issuer="http://127.0.0.1:1") as ours, ours.client() as client:
        answer = await client.get("/login/oidc")
        assert answer.status_code == 403
        assert "does not answer" in answer.text
        assert SECRET not in repr(ours.events)
