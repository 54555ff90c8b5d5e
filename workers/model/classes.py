"""Checks the classes in line.yaml against those of the models: a misspelt class would never raise an alert."""

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
    """Raises ConfigError for a class in line.yaml that no pool's model has. `classes`: those of `pool`'s model.

    The classes of the other pools' models stand in their manifests. A model without one may have any class.
    """
    known = {name: _from_manifest(other.model) for name, other in settings.pools.items() if name != pool}
    _require(settings, {**known, pool: tuple(classes)})


def check(settings: Settings) -> None:
    """For `andon config check`: like `require_classes`, by the manifests alone, without opening a model."""
    _require(settings, {name: _from_manifest(pool.model) for name, pool in settings.pools.items()})


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


def _from_manifest(model: ModelSettings) -> tuple[str, ...] | None:
    """None: the model has no manifest."""
    path = Path(model.weights).expanduser()
    manifest = read_manifest(path, "weights") if model.weights and path.exists() else None
    return None if manifest is None else manifest.classes
