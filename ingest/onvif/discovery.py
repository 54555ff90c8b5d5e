"""Finds a network's ONVIF cameras and asks each for its streams; for `andon camera discover`."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from andon.errors import ConfigError
from ingest.onvif.device import OnvifDevice, ask
from ingest.onvif.login import OnvifLogin
from ingest.onvif.probing import PORTS, Answer, OnvifSearch, search
from ingest.onvif.suggestion import Suggestion, suggest

SIDE_BY_SIDE = 16
"""Cameras that are asked at once."""
LIMIT_S = 10.0
"""For all answers of one camera."""


@dataclass(frozen=True, slots=True)
class Found:
    devices: tuple[OnvifDevice, ...]
    """In the order of their addresses."""
    login: OnvifLogin | None = None
    notes: tuple[str, ...] = ()
    """Why there may be more cameras than these, one line each."""

    def suggestions(self, device: OnvifDevice) -> list[Suggestion | None]:
        return suggest(device, self.login)

    def as_json(self) -> dict[str, Any]:
        return {"devices": [self._device(device) for device in self.devices], "notes": list(self.notes)}

    def _device(self, device: OnvifDevice) -> dict[str, Any]:
        profiles = [
            asdict(profile)
            | {"url": suggestion.url, "id": suggestion.camera_id, "add": suggestion.line.partition("  # ")[0]}
            for profile, suggestion in zip(device.profiles, self.suggestions(device), strict=True)
            if suggestion is not None
        ]
        about = {"host": device.answer.host, "name": device.answer.name, "model": device.model}
        return about | {"fault": device.fault or None, "profiles": profiles}


async def searched(wanted: OnvifSearch, login: OnvifLogin | None) -> Found:
    """Search, and ask whoever answers. Raises ConfigError as `search` does."""
    answers = await search(wanted)
    notes = []
    if len(answers.found) >= wanted.most:
        notes.append(f"the search ended at {wanted.most} cameras: choose a network with --interface, or name hosts")
    if answers.unreadable:
        notes.append(f"{answers.unreadable} answers could not be read")
    return Found(await _all(list(answers.found.values()), login), login, tuple(notes))


async def named(hosts: Sequence[str], login: OnvifLogin | None) -> Found:
    """Ask these hosts, without a search. Raises ConfigError: one of them is no host."""
    return Found(await _all([_answer(host) for host in hosts], login), login)


def _answer(host: str) -> Answer:
    """`192.168.1.20`, `camera-3:8080` or `https://192.168.1.20`."""
    try:
        parts = urlsplit(host if "://" in host else f"http://{host}")
        name, port = parts.hostname, parts.port
    except ValueError:
        name, port = None, None
    if not name or parts.scheme not in PORTS or "@" in parts.netloc:
        raise ConfigError("HOST: expected a name or an address, with a port or https:// if it needs one; see --login")
    shown = f"[{name}]" if ":" in name else name
    return Answer(f"{parts.scheme}://{shown}:{port or PORTS[parts.scheme]}")


async def _all(answers: Sequence[Answer], login: OnvifLogin | None) -> tuple[OnvifDevice, ...]:
    room = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(answer: Answer) -> OnvifDevice:
        async with room:
            return await ask(answer, login, LIMIT_S)

    return tuple(await asyncio.gather(*(one(answer) for answer in sorted(answers, key=lambda answer: answer.url))))
