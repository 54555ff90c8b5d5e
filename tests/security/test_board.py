"""The board with TLS, and behind a proxy."""

import ssl
from pathlib import Path

import httpx
import pytest

from andon.errors import ConfigError
from tests.board import a_board, at_an_address
from tests.security.certificates import Authority


async def test_with_tls_the_board_speaks_https_and_its_cookie_nothing_else(
    tmp_path: Path, authority: Authority
) -> None:
    issued = authority.issue("board", "IP:127.0.0.1")
    tls = {"cert": str(issued.cert), "key": str(issued.key)}
    async with a_board(tmp_path, {"board": {"port": 0, "tls": tls}}) as ours, at_an_address(ours) as url:
        assert url.startswith("https://")
        async with httpx.AsyncClient(verify=ssl.create_default_context(cafile=authority.ca)) as client:
            answer = await client.get(url)
        assert answer.status_code == 200
        assert "secure" in answer.headers["set-cookie"].lower()
        assert "server" not in answer.headers


@pytest.mark.parametrize("broken", ["missing", "another key"])
async def test_a_key_that_does_not_fit_is_said_in_one_line(tmp_path: Path, authority: Authority, broken: str) -> None:
    issued, other = authority.issue("board-1", "IP:127.0.0.1"), authority.issue("board-2", "IP:127.0.0.1")
    tls = {"cert": str(issued.cert), "key": str(other.key if broken == "another key" else tmp_path / "none.pem")}
    async with a_board(tmp_path, {"board": {"port": 0, "tls": tls}}) as ours:
        with pytest.raises(ConfigError, match=r"board\.tls: .*; both must be PEM"):
            async with at_an_address(ours):
                pass


async def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    async with a_board(tmp_path, {"board": {"port": 0}}) as ours, at_an_address(ours) as url:
        port = int(url.rpartition(":")[2])
        async with a_board(tmp_path, {"board": {"port": port}}) as second:
            with pytest.raises(ConfigError, match=r"can't listen on 127\.0\.0\.1:\d+: Address already in use"):
                async with at_an_address(second):
                    pass


async def test_only_the_proxy_s_word_counts_for_where_a_request_comes_from(tmp_path: Path) -> None:
    headers = {"x-forwarded-for": "10.1.7.20", "x-forwarded-proto": "https"}
    screens = {"port": 0, "behind_proxy": True, "screen_addresses": ["10.1.7.0/24"]}
    for trusted, status in (["127.0.0.1"], 200), (["10.0.0.1"], 401):
        async with a_board(tmp_path, {"board": {**screens, "trusted_proxies": trusted}}) as ours:
            if trusted == ["127.0.0.1"]:
                await ours.add_user("anna", "admin")
            async with at_an_address(ours) as url, httpx.AsyncClient() as client:
                assert (await client.get(f"{url}/api/v1/line", headers=headers)).status_code == status
