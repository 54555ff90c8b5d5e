"""Industrial cameras that were found, as lines of a shell that add them; for `andon camera discover`."""

import re
import shlex
from dataclasses import asdict, dataclass

from ingest.sources.genicam_search import IndustrialCamera, cameras_in_reach
from ingest.sources.source import SourceError

LONGEST_ID = 40


@dataclass(frozen=True, slots=True)
class Industrial:
    """What a search found; nothing, where there was none."""

    cameras: tuple[IndustrialCamera, ...] = ()
    notes: tuple[str, ...] = ()
    """Why there may be more, one line each."""

    def as_json(self) -> list[dict[str, str]]:
        return [_as_json(camera) for camera in self.cameras]


def searched_industrial() -> Industrial:
    """Blocks for about a second."""
    try:
        return Industrial(cameras_in_reach())
    except SourceError as error:
        return Industrial(notes=(f"no industrial camera was searched for: {error}",))


def line_of(camera: IndustrialCamera) -> str:
    """`andon camera add ...`, and behind # what the camera says of itself."""
    address = f", {camera.address}" if camera.address else ""
    return f"{_added(camera)}  # {camera.vendor} {camera.model}{address}"


def _as_json(camera: IndustrialCamera) -> dict[str, str]:
    values = asdict(camera)
    del values["device_id"]
    return values | {"url": camera.url, "id": _id(camera), "add": _added(camera)}


def _added(camera: IndustrialCamera) -> str:
    return f"andon camera add {shlex.quote(camera.url)} --id {_id(camera)}"


def _id(camera: IndustrialCamera) -> str:
    """Its maker, its model and its number. What a camera says only chooses the letters."""
    words = f"{camera.vendor} {camera.model} {camera.serial}".lower()
    return re.sub(r"[^a-z0-9]+", "-", words).strip("-")[-LONGEST_ID:].strip("-") or "camera"
