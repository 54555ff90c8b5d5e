import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from andon import __version__, cli


def test_every_command_has_help_with_an_example() -> None:
    context = click.Context(cli.main)
    leaves = list(_leaves(cli.main, context))
    assert {"andon lag", "andon config check", "andon camera test", "andon alerts follow"} <= {
        name for name, _ in leaves
    }
    for name, command in leaves:
        assert command.help is not None, name
        assert "Example:" in command.help, name


def _leaves(group: click.Group, context: click.Context, prefix: str = "andon") -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            found += _leaves(command, context, f"{prefix} {name}")
        else:
            found.append((f"{prefix} {name}", command))
    return found


def test_the_version_stands_in_one_place() -> None:
    assert CliRunner().invoke(cli.main, ["--version"]).output == f"andon, version {__version__}\n"


@pytest.mark.parametrize("arguments", [["work"], ["work", "--help"], ["work", "-c", "line.yaml"]])
def test_a_command_whose_package_is_not_installed_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    missing = EntryPoint("work", "workers_not_installed.commands.work:work", cli.GROUP)
    monkeypatch.setattr(cli, "_entry_points", lambda: {"work": missing})
    result = CliRunner().invoke(cli.main, arguments)
    assert result.exit_code == 2
    assert "pip install 'andon[workers_not_installed]'" in result.stderr


@pytest.mark.parametrize("late", [False, True])
def test_a_shared_library_that_the_system_lacks_is_one_line_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, late: bool
) -> None:
    fails = "raise ImportError('libxcb.so.1: cannot open shared object file: No such file or directory')"
    imports = f"import click\n@click.command()\ndef work():\n    {fails}\n" if late else fails
    (tmp_path / "linked_to_missing.py").write_text(imports)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "linked_to_missing", raising=False)
    entry = EntryPoint("work", "linked_to_missing:work", cli.GROUP)
    monkeypatch.setattr(cli, "_entry_points", lambda: {"work": entry})
    result = CliRunner().invoke(cli.main, ["work"])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "libxcb.so.1" in result.stderr
    assert "apt-get install libgl1 libglib2.0-0" in result.stderr


def test_an_import_that_fails_for_another_reason_is_not_taken_for_a_missing_library(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "broken_import.py").write_text("from os import no_such_name")
    monkeypatch.syspath_prepend(str(tmp_path))
    entry = EntryPoint("work", "broken_import:work", cli.GROUP)
    monkeypatch.setattr(cli, "_entry_points", lambda: {"work": entry})
    result = CliRunner().invoke(cli.main, ["work"])
    assert isinstance(result.exception, ImportError)


def test_a_mistake_is_one_line_and_exits_with_2() -> None:
    result = CliRunner().invoke(cli.main, ["config", "check", "-c", "/no/such/line.yaml"])
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "andon: /no/such/line.yaml: No such file or directory; `andon init` writes an example"
    ]
