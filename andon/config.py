"""Reads line.yaml with its secrets and overrides, and explains each mistake in one line."""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from andon.errors import ConfigError
from andon.settings import Settings

REFERENCE = re.compile(r"\$\{(?:file:(?P<file>[^}]+)|(?P<variable>[A-Za-z_][A-Za-z0-9_]*))\}")
"""A secret's place: the environment, or a file."""
_QUOTED = re.compile(r"'[^<'].+'")
"""The text that PyYAML repeats: an alias or a tag. To YAML, a password that begins with * or ! is one."""


def load(path: Path | None, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of `path` (None: defaults), overridden by ANDON_SECTION__KEY.

    Raises:
        ConfigError: one line that says what is wrong, at which key, and which key was probably meant.
    """
    environ = os.environ if environ is None else environ
    source = str(path) if path else "ANDON_* environment"
    document = expanded(_read(path), environ, "") if path else {}
    values = _merge(document, _overrides(environ))
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigError("; ".join(complaints(error, source))) from None


def as_written(path: Path | None, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What `load` reads, with `${VAR}` and `${file:PATH}` as they are written. Not validated: call `load` first."""
    environ = os.environ if environ is None else environ
    return _merge(_read(path) if path else {}, _overrides(environ))


def _read(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; `andon init` writes an example") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not valid YAML: not UTF-8 text") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {_where_and_why(error)}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: expected `key: value` lines; `andon init` writes an example")
    return document


def _where_and_why(error: yaml.YAMLError) -> str:
    """The place and the reason, without the line that PyYAML quotes: it may hold a password."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return type(error).__name__
    mark = error.problem_mark
    problem = _QUOTED.sub("'...'", str(error.problem))
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"


def expanded(value: Any, environ: Mapping[str, str], where: str) -> Any:
    """`value` with the content of each `${VAR}` and `${file:PATH}` in it; `where` names it in a ConfigError."""
    if isinstance(value, dict):
        return {key: expanded(item, environ, f"{where}.{key}".lstrip(".")) for key, item in value.items()}
    if isinstance(value, list):
        return [expanded(item, environ, f"{where}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def read(match: re.Match[str]) -> str:
        if (file := match["file"]) is not None:
            return _secret_in(Path(file), where)
        if (variable := match["variable"]) not in environ:
            raise ConfigError(f"{where}: the environment variable {variable} is not set")
        return environ[variable]

    return REFERENCE.sub(read, value)


def _secret_in(path: Path, where: str) -> str:
    """A secret that Docker or Kubernetes mounts as a file. A last newline comes from an editor and is dropped."""
    try:
        return path.expanduser().read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise ConfigError(f"{where}: {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{where}: {path}: not UTF-8 text") from None


def _overrides(environ: Mapping[str, str]) -> dict[str, Any]:
    source = EnvSettingsSource(Settings, env_prefix="ANDON_", env_nested_delimiter="__")  # type: ignore[arg-type]
    source.env_vars = {name.lower(): value for name, value in environ.items()}  # the source has read os.environ
    return source()


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def complaints(error: ValidationError, source: str, section: type[BaseModel] = Settings) -> list[str]:
    """One line for each mistake in `section`; `source` says where that stands. No line repeats a value."""
    found = error.errors(include_input=False)
    return [_complaint(section, item["loc"], item["type"], item["msg"], source) for item in found]


def _complaint(section: type[BaseModel], loc: tuple[int | str, ...], kind: str, message: str, source: str) -> str:
    key = ".".join(part for part in map(str, loc) if not part.startswith("<"))  # the tag of a union is no key
    if kind != "extra_forbidden":
        return f"{source}: {key or 'line'}: {message.removeprefix('Value error, ')}"
    near = difflib.get_close_matches(str(loc[-1]), _known_keys(section, loc[:-1]), n=1)
    return f"{source}: {key}: no such key" + (f"; did you mean `{near[0]}`?" if near else "")


def _known_keys(section: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The keys of the section at `loc`, of all sections that may stand there."""
    sections = [section]
    for part in loc:  # an index, the key of a dict or the tag of a union leads no further
        fields = [field for one in sections if (field := _field(one, str(part))) is not None]
        sections = [inner for field in fields for inner in _sections(field.annotation)] if fields else sections
    return [field.alias or name for one in sections for name, field in one.model_fields.items()]


def _field(section: type[BaseModel], key: str) -> FieldInfo | None:
    fields = section.model_fields
    return fields.get(key) or next((field for field in fields.values() if field.alias == key), None)


def _sections(annotation: Any) -> list[type[BaseModel]]:
    """The sections inside `tuple[X, ...]`, `dict[str, X | Y]` and the like, or the annotation itself."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [section for argument in get_args(annotation) for section in _sections(argument)]
