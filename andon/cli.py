"""`andon`: the commands that the packages register as entry points."""

import logging
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar

import click

from andon import __version__
from andon.errors import AndonError, ConfigError

GROUP = "andon.commands"
Command = TypeVar("Command", bound=Callable[..., object])


class _Commands(click.Group):
    """Loads a command only when it is called, so that `andon lag` needs neither torch nor cameras."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_entry_points())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = _entry_points().get(cmd_name)
        if entry is None:
            return None
        try:
            command: click.Command = entry.load()
        except ModuleNotFoundError as error:
            return _needs_more(cmd_name, entry, error)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        # a command's own error is one line where the Kafka client writes dozens; a role turns those into events
        logging.getLogger("aiokafka").addHandler(logging.NullHandler())
        try:
            return super().invoke(ctx)
        except AndonError as error:
            sys.stderr.write(f"andon: {error}\n")
            ctx.exit(2 if isinstance(error, ConfigError) else 1)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="andon")
def main() -> None:
    """Andon watches a line's cameras and raises one signal for each real defect.

    \b
    Example:
      andon demo                 a synthetic line, inspected end to end
      andon init && andon up     your own cameras
    """


def config_option(*, required: bool = False) -> Callable[[Command], Command]:
    """The option `-c line.yaml`, the same on every command."""
    return click.option(
        "-c",
        "--config",
        "path",
        type=click.Path(path_type=Path),
        default=None if required else "line.yaml",
        show_default=not required,
        required=required,
        help="The line's configuration.",
    )


def _entry_points() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _needs_more(name: str, entry: EntryPoint, error: ModuleNotFoundError) -> click.Command:
    package = entry.module.split(".")[0]
    extra = {"deploy": "all", "andon": "all"}.get(package, package)

    @click.command(
        name,
        help=f"(needs `pip install 'andon[{extra}]'`)",
        add_help_option=False,
        context_settings={"ignore_unknown_options": True},
    )
    @click.argument("ignored", nargs=-1, type=click.UNPROCESSED)
    def needs_more(ignored: tuple[str, ...]) -> None:
        raise ConfigError(f"`andon {name}` needs {error.name}: pip install 'andon[{extra}]'")

    return needs_more
