"""Builds the images of deploy/docker with buildah, as a user builds them with `docker build`."""

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.images import pip_settings
from tests.images.engine import REPOSITORY, answers, call

DOCKER = REPOSITORY / "deploy" / "docker"
ROLES = ("ingest", "workers", "sinks")
BUILD_S = 420.0
"""Time limit of one build: torch comes from an index."""


@dataclass(frozen=True, slots=True)
class PipOptions:
    """Options with which a build installs from where this machine installs."""

    options: list[str]


@contextmanager
def pip_options(added: Mapping[str, str] | None = None) -> Iterator[PipOptions]:
    """With this machine's settings, and those that are added."""
    settings = pip_settings.pip_settings() | dict(added or {})
    cache = Path.home() / ".cache" / "pip"
    cache.mkdir(parents=True, exist_ok=True)
    volumes = [*pip_settings.volumes(settings), f"{cache}:{pip_settings.CACHE}"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "pip.conf")
        pip_settings.write(file, settings)
        options = ["--network", "host", "--secret", f"id=pip,src={file}"]
        yield PipOptions([*options, *(word for volume in volumes for word in ("--volume", volume))])


def build(target: str, tag: str, *options: str, context: Path = REPOSITORY) -> str:
    """Build one target of the Dockerfile; returns what was printed."""
    named = ["--file", str(context / "deploy/docker/Dockerfile"), "--target", target, "--tag", tag]
    return call("buildah", "bud", "--layers", *named, *options, str(context), timeout_s=BUILD_S)


def bill_of_materials(image: str, folder: Path, *options: str) -> str:
    """Write the image's bill of materials below the folder, as a user does; returns it."""
    named = ["--file", str(DOCKER / "sbom.Dockerfile"), "--build-arg", f"IMAGE={image}"]
    output = ["--output", f"type=local,dest={folder}"]
    call("buildah", "bud", "--layers", *named, *output, *options, str(REPOSITORY), timeout_s=BUILD_S)
    return (folder / "bom.cdx.json").read_text("utf-8")


def torch_index() -> str:
    """PyTorch's index of builds without CUDA, as the Dockerfile names it; empty where it can't be reached."""
    (url,) = re.findall(r"^ARG TORCH_INDEX_URL=(\S+)$", (DOCKER / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    return str(url) if answers(f"{url}/torch/") else ""
