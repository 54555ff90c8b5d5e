"""The types of alert channels. Each is an entry point of the group `andon.channels`: its name is what `type` says in
line.yaml, its object a ChannelType. The line's own types are registered in the same way as those of other packages.
"""

import difflib
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import ValidationError
from redis.asyncio import Redis

from andon.clock import Clock
from andon.config import complaints
from andon.errors import ConfigError
from andon.events import Emit
from andon.settings import ChannelSettings, ExtensionChannelSettings, Settings
from andon.stream.publisher import Publisher
from sinks.channels.channel import Channel

GROUP = "andon.channels"


@dataclass(frozen=True, slots=True)
class ChannelContext:
    """What a channel may use of the process that it runs in. It closes nothing of this."""

    name: str
    """The channel's own, from line.yaml."""
    line: Settings
    redis: Redis
    publisher: Publisher
    clock: Clock
    emit: Emit


@dataclass(frozen=True, slots=True)
class ChannelType:
    """One type of channel: the model of its settings, and how to open one with them."""

    settings: type[ChannelSettings]
    open: Callable[[Any, ChannelContext], AbstractAsyncContextManager[Channel]]
    """Called with an instance of `settings`. What it opens is closed when the process has sent what it could."""


def registered() -> dict[str, EntryPoint]:
    """The installed types by name. Loads none of them."""
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def channel_type(name: str, type_name: str) -> ChannelType:
    """The type of the channel `name`. Raises ConfigError, in one line, for a type that cannot be had."""
    types = registered()
    where = f"sinks.channels.{name}"
    if type_name not in types:
        near = difflib.get_close_matches(type_name, types, n=1)
        hint = f"did you mean `{near[0]}`" if near else "is its package installed"
        raise ConfigError(
            f"{where}.type: no channel type {type_name!r} (there are {', '.join(sorted(types))}): {hint}?"
        )
    try:
        found = types[type_name].load()
    except ImportError as error:
        raise ConfigError(f"{where}.type: the channel type {type_name!r} can't be loaded: {error}") from None
    if not isinstance(found, ChannelType):
        raise ConfigError(f"{where}.type: {types[type_name].value} of {type_name!r} is no ChannelType")
    return found


def channel_settings(name: str, given: ChannelSettings, kind: ChannelType) -> ChannelSettings:
    """`given` as the type's own model reads it. Raises ConfigError, with a line for each mistake."""
    if not isinstance(given, ExtensionChannelSettings):
        return given
    try:
        return kind.settings.model_validate(given.keys)
    except ValidationError as error:
        where = f"sinks.channels.{name}"
        lines = complaints(error, where, kind.settings)
        raise ConfigError("; ".join(line.replace(": ", ".", 1) for line in lines)) from None


def check(settings: Settings) -> Iterator[str]:
    """For `andon config check`: the channels whose type is not installed or whose keys are wrong, one line each."""
    for name, given in settings.sinks.channels.items():
        try:
            channel_settings(name, given, channel_type(name, given.type))
        except ConfigError as error:
            yield str(error)


def opened(settings: ChannelSettings, context: ChannelContext) -> AbstractAsyncContextManager[Channel]:
    """The channel `context.name`. Raises ConfigError as `check` does."""
    kind = channel_type(context.name, settings.type)
    return kind.open(channel_settings(context.name, settings, kind), context)
