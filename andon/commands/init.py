"""`andon init`: a commented line.yaml to start from."""

from pathlib import Path

import click

from andon.errors import ConfigError

TEMPLATE = Path(__file__).with_name("line.yaml")


@click.command()
@click.argument("path", metavar="[FILE]", type=click.Path(path_type=Path), default="line.yaml")
@click.option("--force", is_flag=True, help="Overwrite FILE if it exists.")
def init(path: Path, *, force: bool) -> None:
    """Write a commented line.yaml.

    \b
    Example:
      andon init
      andon init lines/press.yaml && andon up -c lines/press.yaml
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(TEMPLATE.read_text(encoding="utf-8"))
    except FileExistsError:
        raise ConfigError(f"{path} exists; --force overwrites it") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    click.echo(f"{path} written: name your cameras and your model in it, then `andon up -c {path}`")
