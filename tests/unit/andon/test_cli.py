from importlib.metadata import EntryPoint

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


def test_a_mistake_is_one_line_and_exits_with_2() -> None:
    result = CliRunner().invoke(cli.main, ["config", "check", "-c", "/no/such/line.yaml"])
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "andon: /no/such/line.yaml: No such file or directory; `andon init` writes an example"
    ]
