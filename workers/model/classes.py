"""Holds the classes that line.yaml names against those that models know: a misspelt one would never raise anything."""

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path

from andon.errors import ConfigError
from andon.settings import ModelSettings, Settings
from workers.runtimes.manifest import read_manifest


def named_classes(settings: Settings) -> Iterator[tuple[str, str]]:
    """The keys in line.yaml that name a class, and the class."""
    if settings.parts is not None:
        yield "parts.class", settings.parts.label
    for name in settings.defects.classes:
        yield "defects.classes", name
    for name in settings.defects.ignore:
        yield "defects.ignore", name


def require_classes(settings: Settings, pool: str, classes: Sequence[str]) -> None:
    """Raises ConfigError for a class that line.yaml names and no pool's model has; `classes` are those of `pool`'s.

    What the other pools' models know stands in their manifests; where one has none, its model may know anything.
    """
    known = {name: _told(other.model) for name, other in settings.pools.items() if name != pool}
    _require(settings, {**known, pool: tuple(classes)})


def check(settings: Settings) -> None:
    """What `andon config check` asks: as `require_classes`, as far as manifests tell, without opening a model."""
    _require(settings, {name: _told(pool.model) for name, pool in settings.pools.items()})


def _require(settings: Settings, known: dict[str, tuple[str, ...] | None]) -> None:
    if any(classes is None for classes in known.values()):
        return
    every = [name for classes in known.values() for name in classes or ()]
    for key, name in named_classes(settings):
        if name not in every:
            near = difflib.get_close_matches(name, every, n=1)
            whose = f"the model of pool {next(iter(known))}" if len(known) == 1 else "no pool's model"
            has = "has no class" if len(known) == 1 else "has a class"
            meant = f"; did you mean `{near[0]}`?" if near else ""
            raise ConfigError(f"{key}: {whose} {has} {name!r}{meant} (there are: {', '.join(every)})")


def _told(model: ModelSettings) -> tuple[str, ...] | None:
    """By the model's manifest; None where nothing tells."""
    path = Path(model.weights).expanduser()
    manifest = read_manifest(path, "weights") if model.weights and path.exists() else None
    return None if manifest is None else manifest.classes
