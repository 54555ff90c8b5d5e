"""A channel type as another package would bring it: a lamp that is a file, which keeps one line for each event."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from pydantic import SecretStr

from andon.settings import ChannelSettings
from sinks.channels.channel import Channel, SinkBusy
from sinks.channels.payload import event_of
from sinks.channels.registry import ChannelContext, ChannelType
from sinks.outbox_item import OutboxItem


class LampSettings(ChannelSettings):
    type: Literal["lamp"] = "lamp"
    file: Path
    password: SecretStr = SecretStr("")


class Lamp:
    """A Channel. An event whose line is in the file already is not written again."""

    def __init__(self, file: Path) -> None:
        self._file = file

    async def send(self, item: OutboxItem) -> None:
        line = event_of(item).event_id + "\n"
        try:
            self._file.touch()
            if line not in self._file.read_text():
                with self._file.open("a") as file:
                    file.write(line)
        except OSError as error:
            raise SinkBusy(f"{self._file}: {error.strerror}", 0.0) from None


@asynccontextmanager
async def _opened(settings: LampSettings, context: ChannelContext) -> AsyncIterator[Channel]:
    yield Lamp(settings.file)


LAMP = ChannelType(LampSettings, _opened)


def install(folder: Path, entry: str = "lamp = tests.lamp:LAMP") -> None:
    """Write what pip writes for a package with this entry point; it is installed where `folder` is on sys.path."""
    info = folder / "andon_lamp-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: andon-lamp\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[andon.channels]\n{entry}\n")
