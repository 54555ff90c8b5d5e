"""line.yaml's cameras are the registry's seed: what a start publishes of them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from andon.cameras.sections import Section, digest, published
from andon.messages import CameraConfig


@dataclass(frozen=True, slots=True)
class Seed:
    """The cameras of one line.yaml."""

    origin: str
    """The line's name and the file's path: what this file published, no other file removes."""
    sections: Mapping[str, Section]
    """By camera, as they may be published."""

    def wanted(self, camera_id: str, present: CameraConfig | None, at: datetime) -> CameraConfig | None:
        """What the camera is to be after this start; None: it is to be removed, or not to be there.

        A section that has not changed since it was published stays as the registry has it: `andon camera set` holds
        until the section in line.yaml changes. What other files and `andon camera add` have named stays, too.
        """
        section = self.sections.get(camera_id)
        if section is None:
            return None if present is not None and present.origin == self.origin else present
        written = digest(section)
        if present is not None and present.origin and present.written == written:
            return present
        return CameraConfig(camera_id=camera_id, settings=section, at=at, origin=self.origin, written=written)


def seed_of(cameras: Sequence[Mapping[str, Any]], line: str, path: str) -> Seed:
    """The seed of the sections `cameras` of the file at `path`."""
    return Seed(f"{line} {path}", {str(camera["id"]): published(camera) for camera in cameras})
