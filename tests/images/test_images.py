"""The images hold what they should, and nothing else."""

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.images import bases
from tests.images.build import ROLES, PipOptions, bill_of_materials, build, pip_options
from tests.images.conftest import Report
from tests.images.engine import REPOSITORY, attempt, call

pytestmark = [pytest.mark.images, pytest.mark.timeout(1200)]
MOST_MB = {"ingest": 500, "workers": 2300, "sinks": 750}
"""Upper limit of what an image adds to its base."""
ROOM = (
    "--read-only",
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges",
    "--network",
    "none",
    "--tmpfs",
    "/tmp",
    "--no-healthcheck",
)
"""As a container of compose.yaml and of the chart runs."""

SECRET = "login-of-the-index.invalid"


def config(image: str) -> dict[str, Any]:
    (inspected,) = json.loads(call("podman", "image", "inspect", image))
    details: dict[str, Any] = inspected
    return details


def run(image: str, *command: str) -> str:
    """Run a command in a new container instead of `andon`."""
    return call("podman", "run", "--rm", *ROOM, "--entrypoint", command[0], image, *command[1:], timeout_s=120)


def python(image: str, text: str) -> str:
    return run(image, "python", "-c", text)


def size_mb(image: str) -> float:
    return int(config(image)["Size"]) / 1e6


def test_each_image_adds_to_its_base_no_more_than_its_role_needs(images: dict[str, str], report: Report) -> None:
    base = size_mb(bases.PYTHON)
    added = {role: size_mb(image) - base for role, image in images.items()}
    report(f"base {base:.0f} MB; on top of it: " + ", ".join(f"{role} {mb:.0f} MB" for role, mb in added.items()))
    assert [role for role in ROLES if added[role] > MOST_MB[role]] == []


@pytest.mark.parametrize("role", ROLES)
def test_an_image_runs_without_root_and_without_rights_on_a_file_system_that_takes_no_writes(
    images: dict[str, str], role: str
) -> None:
    text = "import os; print(os.getuid(), os.getgid(), os.access('/opt/andon', os.W_OK), os.access('/tmp', os.W_OK))"
    assert python(images[role], text).split() == ["10001", "10001", "False", "True"]
    assert "Usage: andon" in call("podman", "run", "--rm", *ROOM, images[role], "--help")


@pytest.mark.parametrize("role", ROLES)
def test_everything_that_an_image_holds_has_what_it_requires(images: dict[str, str], role: str) -> None:
    done = attempt(
        "podman",
        "run",
        "--rm",
        *ROOM,
        "--entrypoint",
        "pip",
        images[role],
        "--python",
        "/opt/andon/bin/python",
        "check",
    )
    assert (done.returncode, done.stdout) == (0, "No broken requirements found.\n")


@pytest.mark.parametrize("role", ROLES)
def test_each_role_finds_all_that_it_imports(images: dict[str, str], role: str) -> None:
    """Its package's modules, one by one: what a wheel or a library of the system lacks shows here.

    But for those that serve optional extras, which no image has.
    """
    text = (
        "import importlib, pkgutil; p = importlib.import_module('{0}');"
        "skipped = ('.onvif', '.train', '.prune', '.migrations.', '.onnx', '.tensorrt', 'export', 'val', 'bench');"
        "names = [m.name for m in pkgutil.walk_packages(p.__path__, '{0}.')];"
        "[importlib.import_module(n) for n in names if not any(s in n for s in skipped)]; print(len(names))"
    )
    assert int(python(images[role], text.format(role))) > 10


def test_the_workers_image_has_no_cuda(images: dict[str, str]) -> None:
    listed = (
        "import importlib.metadata as m, torch; print(torch.version.cuda, *(d.name.lower() for d in m.distributions()))"
    )
    cuda, *names = python(images["workers"], listed).split()
    assert cuda == "None"
    assert [
        name for name in names if re.match(r"nvidia-(?!ml-py)|triton|cuda", name)
    ] == []  # ml-py asks a driver, 50 kB
    found = run(
        images["workers"],
        "find",
        "/opt/andon",
        "/usr/lib",
        "-regex",
        r".*/lib\(cublas\|cudnn\|cufft\|nccl\|torch_cuda\).*",
    )
    assert found == ""


@pytest.mark.parametrize(("role", "absent"), [("ingest", "torch"), ("sinks", "torch"), ("sinks", "cv2")])
def test_an_image_is_without_what_only_other_roles_need(images: dict[str, str], role: str, absent: str) -> None:
    assert python(images[role], f"import importlib.util as u; print(u.find_spec('{absent}'))") == "None\n"


@pytest.mark.parametrize("role", ROLES)
def test_an_image_says_what_it_is_and_how_to_ask_whether_it_is_well(images: dict[str, str], role: str) -> None:
    details = config(images[role])
    labels = details["Labels"]
    assert labels["org.opencontainers.image.title"] == f"andon-{role}"
    assert labels["org.opencontainers.image.licenses"] == "AGPL-3.0-or-later"
    assert "/livez" in str(details["HealthCheck" if "HealthCheck" in details else "Healthcheck"])


def test_images_share_the_layers_of_what_they_share(images: dict[str, str]) -> None:
    layers = {role: config(image)["RootFS"]["Layers"] for role, image in images.items()}
    common = shared(layers["ingest"], layers["workers"])
    assert common > shared(layers["ingest"], layers["sinks"]) > len(config(bases.PYTHON)["RootFS"]["Layers"])


def shared(one: Sequence[str], other: Sequence[str]) -> int:
    """How many layers two images have in common, from the bottom."""
    return next((number for number, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))


@pytest.fixture(scope="module")
def changed(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The sinks image of a checkout in which one line of code differs, built with a secret in pip's configuration."""
    folder = tmp_path_factory.mktemp("changed")
    for name in call("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        if (source := REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)
    with (folder / "andon" / "__init__.py").open("a") as file:
        file.write("\nCHANGED = True\n")
    with pip_options({"trusted-host": SECRET}) as pip:
        build("sinks", "andon-sinks-changed", *pip.options, context=folder)
    return "localhost/andon-sinks-changed"


def test_a_change_of_code_rebuilds_one_small_layer(images: dict[str, str], changed: str) -> None:
    before, after = (config(image)["RootFS"]["Layers"] for image in (images["sinks"], changed))
    assert before[:-1] == after[:-1]
    assert before[-1] != after[-1]
    assert python(changed, "import andon; print(andon.CHANGED)") == "True\n"


def test_a_login_to_the_index_stays_out_of_the_image(changed: str) -> None:
    """Neither its files nor its history have what the build got in secret."""
    look = ("--user", "0", "--no-healthcheck", "--entrypoint", "grep")
    places = ("/etc", "/home", "/opt", "/root", "/tmp", "/var")
    done = attempt("podman", "run", "--rm", *look, changed, "-rlF", "--exclude=*.so*", SECRET, *places)
    assert (done.returncode, done.stdout) == (1, "")
    assert SECRET not in call("podman", "history", "--no-trunc", "--format", "json", changed)


@pytest.mark.parametrize("role", ROLES)
def test_an_images_bill_of_materials_names_everything_that_is_installed(
    images: dict[str, str], pip: PipOptions, role: str, tmp_path: Path, report: Report
) -> None:
    from cyclonedx.schema import SchemaVersion  # noqa: PLC0415 - only `make test-images` installs it
    from cyclonedx.validation.json import JsonStrictValidator  # noqa: PLC0415 - as above

    text = bill_of_materials(images[role], tmp_path, *pip.options)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    components = json.loads(text)["components"]
    listed = {(item["name"].lower(), item.get("version")) for item in components}
    installed = (
        "import importlib.metadata as m;print(*(f'{d.name.lower()} {d.version}' for d in m.distributions()), sep='\\n')"
    )
    packages = "dpkg-query --show --showformat='${Package} ${Version}\\n'"
    printed = python(images[role], installed) + run(images[role], "sh", "-c", packages)
    assert {tuple(line.split()) for line in printed.splitlines()} <= listed
    assert json.loads(text)["metadata"]["component"]["name"] == images[role]
    licensed = [item for item in components if item.get("licenses")]
    report(f"bill of materials of {role}: {len(components)} components, {len(licensed)} with their licence")


def test_a_base_can_be_pinned_by_its_digest(images: dict[str, str], pip: PipOptions) -> None:
    digest = config(bases.PYTHON)["Digest"]
    base = f"{bases.PYTHON.partition(':')[0]}@{digest}"
    build("base", "andon-pinned", *pip.options, "--pull-never", "--build-arg", f"PYTHON_IMAGE={base}")
    wrong = base[:-1] + ("0" if base[-1] != "0" else "1")
    with pytest.raises(AssertionError):
        build("base", "andon-pinned", *pip.options, "--pull-never", "--build-arg", f"PYTHON_IMAGE={wrong}")
