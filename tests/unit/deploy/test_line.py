"""The processes of a line, and the servers that it uses."""

import json
import socket
from pathlib import Path

from andon.settings import BoardSettings, PoolSettings, Settings
from deploy.local.board import BoardAddress, board_address
from deploy.local.line import LinePlan, role_groups
from deploy.local.places import ANY, Places, places
from deploy.local.server import free_port

NAMED = Settings.model_validate(
    {"kafka": {"bootstrap_servers": "kafka:9092"}, "redis": {"url": "redis://:secret@redis:6379/0"}}
)


def at(settings: Settings) -> Places:
    return Places(settings, {"ANDON_KAFKA__EPOCH": "e"}, {})


def test_servers_that_line_yaml_names_are_used_and_none_started(tmp_path: Path) -> None:
    with places(NAMED, tmp_path, ANY) as found:
        assert found.settings == NAMED
        assert (dict(found.env), dict(found.own)) == ({}, {})
    assert list(tmp_path.iterdir()) == []


def test_each_pool_has_its_workers_and_each_role_a_port_and_a_log_of_its_own(tmp_path: Path) -> None:
    settings = NAMED.model_copy(update={"pools": {"default": PoolSettings(), "heavy": PoolSettings()}})
    found = role_groups(LinePlan(Path("line.yaml"), settings, tmp_path, workers=2), at(settings))
    assert [role.name for role in found.workers.roles] == ["worker-1", "worker-2", "worker-heavy-1", "worker-heavy-2"]
    assert found.workers.roles[2].command[-2:] == ("--pool", "heavy")
    roles = (*found.ingest.roles, *found.workers.roles, *found.sinks.roles)
    assert len({role.url for role in roles}) == len({role.log for role in roles}) == 6
    assert all(role.env["ANDON_HTTP__HOST"] == "127.0.0.1" for role in roles)
    assert all(role.env["ANDON_KAFKA__EPOCH"] == "e" for role in roles)


def test_nobody_waits_for_the_backlog_of_a_shared_broker(tmp_path: Path) -> None:
    found = role_groups(LinePlan(Path("line.yaml"), NAMED, tmp_path), at(NAMED))
    assert found.workers.behind is None
    assert found.sinks.behind is None


def test_the_board_listens_where_line_yaml_says_unless_that_port_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = NAMED.model_copy(update={"board": BoardSettings(port=port)})
        moved = board_address(settings)
        assert moved.port not in (0, port)
        assert moved.url == f"http://127.0.0.1:{moved.port}"
    stays = board_address(settings)
    assert stays == BoardAddress(f"http://127.0.0.1:{port}", port)
    found = role_groups(LinePlan(Path("line.yaml"), settings, tmp_path), at(settings), stays)
    (role,) = found.board.roles
    assert role.env["ANDON_BOARD__PORT"] == str(port)
    assert role.url != stays.url


def test_the_board_reads_the_metrics_of_every_role_and_of_what_line_yaml_names(tmp_path: Path) -> None:
    settings = NAMED.model_copy(update={"board": BoardSettings(processes=("http://hall-2:9100",))})
    plan = LinePlan(Path("line.yaml"), settings, tmp_path, workers=2)
    found = role_groups(plan, at(settings), BoardAddress("http://127.0.0.1:8080", 8080))
    (board,) = found.board.roles
    roles = (*found.ingest.roles, *found.workers.roles, *found.sinks.roles)
    named = json.loads(board.env["ANDON_BOARD__PROCESSES"])
    assert named == ["http://hall-2:9100", *(role.url for role in roles)]
    assert BoardSettings(processes=named).processes == tuple(named)


def test_a_line_without_a_board_has_no_process_for_it(tmp_path: Path) -> None:
    assert role_groups(LinePlan(Path("line.yaml"), NAMED, tmp_path), at(NAMED)).board.roles == ()


def test_no_port_is_named_twice_in_a_row_of_roles() -> None:
    for _ in range(40):
        named = [free_port() for _ in range(60)]
        assert len(set(named)) == len(named)
