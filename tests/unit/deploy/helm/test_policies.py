"""checkov's policies: what it finds is exactly what deploy/helm/checkov.yaml excepts, with a reason each."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.deploy.helm.chart import CHART, EXAMPLES, rendered

CHECKOV = CHART.parents[2] / ".venv-checkov" / "bin" / "checkov"
EXCEPTIONS = CHART.parent / "checkov.yaml"


@pytest.mark.timeout(300)
def test_checkov_finds_nothing_but_what_is_excepted_with_a_reason(tmp_path: Path) -> None:
    if not CHECKOV.exists():
        pytest.skip("checkov is missing: `make policies`")
    for example in EXAMPLES:
        (tmp_path / f"{example}.yaml").write_text(yaml.safe_dump_all(rendered(example).manifests))
    command = [
        str(CHECKOV),
        "--directory",
        str(tmp_path),
        "--framework",
        "kubernetes",
        "--output",
        "json",
        "--skip-download",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["summary"]["passed"] > 500, done.stderr
    failed = {one["check_id"]: f"{one['check_name']}: {one['resource']}" for one in report["results"]["failed_checks"]}
    excepted = yaml.safe_load(EXCEPTIONS.read_text("utf-8"))["skip-check"]
    assert {key: text for key, text in failed.items() if key not in excepted} == {}
    assert [key for key in excepted if key not in failed] == [], "exceptions that nothing needs any more"


def test_each_exception_has_its_reason() -> None:
    lines = EXCEPTIONS.read_text("utf-8").partition("skip-check:\n")[2].splitlines()
    assert [line for line in lines if " # " not in line] == []
