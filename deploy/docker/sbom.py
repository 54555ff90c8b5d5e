"""Writes the bill of materials of the image that it runs in: CycloneDX 1.6 as JSON, `sbom.py NAME FILE`.

cyclonedx-py lists the Python packages of the line's environment and of the image's own Python, with their licences and
what they require. This adds the interpreter and Debian's packages, and checks the whole by CycloneDX' schema. Libraries
that a wheel has inside (FFmpeg in av, OpenCV's) are part of that wheel's entry.
"""

import json
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

ENVIRONMENT = "/opt/andon/bin/python"


def main(name: str, file: Path) -> None:
    bom = merged([listed(ENVIRONMENT), listed(str(Path(ENVIRONMENT).resolve()))])
    bom["components"] += [interpreter(), *debian()]
    bom["metadata"]["component"] = {"type": "container", "name": name, "bom-ref": name}
    text = json.dumps(bom, indent=2)
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        sys.exit(f"sbom.py: the list is no valid CycloneDX 1.6: {error}")
    file.write_text(text, "utf-8")


def listed(python: str) -> dict[str, Any]:
    """What cyclonedx-py finds in one Python environment."""
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--spec-version", "1.6", "--no-validate", python]
    done = subprocess.run(command, check=True, capture_output=True, timeout=120)  # noqa: S603 - no input from outside
    bom: dict[str, Any] = json.loads(done.stdout)
    return bom


def merged(boms: list[dict[str, Any]]) -> dict[str, Any]:
    """The first with the packages of the others; the same package in the same version is one component."""
    components = {item["bom-ref"]: item for bom in boms for item in bom.get("components", [])}
    required = {item["ref"]: item for bom in boms for item in bom.get("dependencies", []) if item["ref"] in components}
    return boms[0] | {"components": list(components.values()), "dependencies": list(required.values())}


def interpreter() -> dict[str, Any]:
    version = platform.python_version()
    purl = PackageURL(type="generic", name="python", version=version).to_string()
    return {"type": "application", "name": "cpython", "version": version, "purl": purl, "bom-ref": purl}


def debian() -> Iterator[dict[str, Any]]:
    """The distribution, and each of its packages that is installed."""
    release = platform.freedesktop_os_release()
    name, version = release["ID"], release.get("VERSION_ID", "")
    yield {"type": "operating-system", "name": name, "version": version, "bom-ref": f"{name}-{version}"}
    form = "${db:Status-Status} ${Package} ${Version} ${Architecture}\n"
    lines = subprocess.run(  # noqa: S603 - no input from outside
        ["/usr/bin/dpkg-query", "--show", f"--showformat={form}"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout.splitlines()
    for status, package, number, architecture in map(str.split, lines):
        if status == "installed":
            qualifiers = {"arch": architecture, "distro": f"{name}-{version}"}
            purl = PackageURL("deb", name, package, number, qualifiers).to_string()
            yield {"type": "library", "name": package, "version": number, "purl": purl, "bom-ref": purl}


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
