"""Alert channels: the ways by which each event leaves the line.

`type` says which keys a channel has. Redis and Kafka are described here. Any other type is described by the package
that registers it (docs/alerts.md), so its keys are kept as they are, and checked where that package is installed.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from andon.settings.section import Positive, Section

ChannelName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]


class ChannelSettings(Section):
    """What every channel has; the base of the settings that a package registers for its own type."""

    type: str
    max_age_s: Positive | None = None
    """Seconds from the capture of the frame to the latest moment at which the event may leave; after it the event is
    given up, and the log says so. Set it where an event starts a movement that must not come late. None: events wait
    for their channel as long as it is away."""


class RedisChannelSettings(ChannelSettings):
    """The streams `<redis.prefix>:alerts` and `<redis.prefix>:parts`, as the section `redis` says."""

    type: Literal["redis"] = "redis"


class KafkaChannelSettings(ChannelSettings):
    """The topic `kafka.defects_topic`."""

    type: Literal["kafka"] = "kafka"


class ExtensionChannelSettings(ChannelSettings):
    """A channel of a type that another package registers; `keys` are for that package to check."""

    model_config = ConfigDict(extra="allow")

    @property
    def keys(self) -> dict[str, Any]:
        """Every key of the section, as it was read."""
        given = {name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set}
        return {**given, **(self.model_extra or {})}

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        return [("type", self.type)]  # the rest may hold a password


def _tag(given: Any) -> str:
    kind = given.get("type") if isinstance(given, dict) else getattr(given, "type", None)
    return f"<{kind}>" if kind in ("redis", "kafka") else "<extension>"


# pydantic puts the tag between the keys where it places a mistake; angle brackets tell it from a key
AlertChannelSettings = Annotated[
    Annotated[RedisChannelSettings, Tag("<redis>")]
    | Annotated[KafkaChannelSettings, Tag("<kafka>")]
    | Annotated[ExtensionChannelSettings, Tag("<extension>")],
    Discriminator(_tag),
]
