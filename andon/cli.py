"""`andon`: the commands that the packages register as entry points."""

import logging
import re
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
        except ImportError as error:
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
        except ImportError as error:
            if (library := _missing_library(error)) is None:
                raise
            sys.stderr.write(f"andon: {library}\n")
            ctx.exit(2)


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


def _needs_more(name: str, entry: EntryPoint, error: ImportError) -> click.Command:
    """A command that stands for one that can't be imported, and says what to install."""
    package = entry.module.split(".")[0]
    extra = {"deploy": "all", "andon": "all"}.get(package, package)
    wanted = _missing_library(error)
    if wanted is None:
        if not isinstance(error, ModuleNotFoundError):
            raise error
        wanted = f"`andon {name}` needs {error.name}: pip install 'andon[{extra}]'"

    @click.command(
        name,
        help=f"({wanted})",
        add_help_option=False,
        context_settings={"ignore_unknown_options": True},
    )
    @click.argument("ignored", nargs=-1, type=click.UNPROCESSED)
    def needs_more(ignored: tuple[str, ...]) -> None:
        raise ConfigError(wanted)

    return needs_more


def _missing_library(error: ImportError) -> str | None:
    """What to install for a shared library that the system lacks; None: the import failed for another reason."""
    found = re.match(r"(\S+\.so\S*): cannot open shared object file", str(error))  # the text is glibc's
    if found is None:
        return None
    return (
        f"this machine has no {found[1]}, which a Python package is linked to. OpenCV needs Debian's libgl1 and"
        " libglib2.0-0: apt-get install libgl1 libglib2.0-0; without root: pip install --force-reinstall --no-deps"
        " opencv-python-headless, the same OpenCV without windows"
    )
