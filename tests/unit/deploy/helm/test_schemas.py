"""Every manifest of every example follows its schema: Kubernetes' own, or that of the operator which reads it."""

import functools
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.unit.deploy.helm.chart import CHART, EXAMPLES, Manifest, helm, rendered

NO_SCHEMA = {
    ("postgresql.cnpg.io/v1", "Cluster"),
    ("monitoring.coreos.com/v1", "PodMonitor"),
    ("monitoring.coreos.com/v1", "PrometheusRule"),
}
"""Kinds whose schema is not at hand; docs/kubernetes.md says so."""
CUSTOM = ("kafka.strimzi.io", "keda.sh", "postgresql.cnpg.io", "monitoring.coreos.com")


def group(manifest: Manifest) -> str:
    return str(manifest["apiVersion"]).partition("/")[0]


@pytest.mark.parametrize("example", EXAMPLES)
def test_helm_lint_has_no_complaint(example: str) -> None:
    done = helm("lint", str(CHART), "--strict", "--values", str(CHART / "ci" / f"{example}.yaml"))
    assert done.returncode == 0, done.stdout


def test_there_are_five_examples() -> None:
    assert EXAMPLES == ["cpu-box", "everything", "existing-kafka", "farm-mig", "one-gpu"]


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_manifest_follows_the_three_newest_versions_of_kubernetes(
    example: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    utils = pytest.importorskip("kubernetes_validate.utils", reason="pip install 'andon[dev]'")
    monkeypatch.setattr(utils, "schema_contents", _cached(utils.schema_contents))
    versions = sorted(set(utils.all_versions()), key=lambda version: [int(part) for part in version.split(".")])
    own = [one for one in rendered(example).manifests if group(one) not in CUSTOM]
    assert len(own) > 15
    for version in versions[-3:]:
        for manifest in own:
            utils.validate(manifest, version, strict=True)


def test_strict_validation_refuses_a_key_that_kubernetes_does_not_have() -> None:
    utils = pytest.importorskip("kubernetes_validate.utils", reason="pip install 'andon[dev]'")
    manifest = rendered("cpu-box").named("StatefulSet", "ingest")
    manifest["spec"]["template"]["spec"]["runAsRoot"] = False
    with pytest.raises(utils.ValidationError, match="runAsRoot"):
        utils.validate(manifest, utils.latest_version(), strict=True)


_kept: dict[tuple[str, str], Any] = {}


def _cached(read: Any) -> Any:
    """The package reads megabytes of definitions for each manifest."""

    def schema_contents(filename: str, version: str) -> Any:
        if (filename, version) not in _kept:
            _kept[filename, version] = read(filename, version)
        return _kept[filename, version]

    return schema_contents


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_custom_resource_follows_the_schema_of_its_operator(example: str) -> None:
    validators = _operators()
    custom = [one for one in rendered(example).manifests if group(one) in CUSTOM]
    for manifest in custom:
        kind = (manifest["apiVersion"], manifest["kind"])
        if kind not in NO_SCHEMA:
            faults = [f"{list(fault.path)}: {fault.message}" for fault in validators[kind].iter_errors(manifest)]
            assert faults == [], manifest["metadata"]["name"]


def test_a_custom_resource_with_an_unknown_key_is_refused() -> None:
    scaled = rendered("one-gpu").kind("ScaledObject")[0]
    scaled["spec"]["minReplicas"] = 1
    (fault,) = _operators()["keda.sh/v1alpha1", "ScaledObject"].iter_errors(scaled)
    assert "minReplicas" in fault.message


@functools.cache
def _operators() -> dict[tuple[str, str], Draft202012Validator]:
    folder = os.environ.get("ANDON_CRDS")
    if folder is None:
        pytest.skip("set ANDON_CRDS to a folder with the CRDs of Strimzi and KEDA to check their resources")
    files = sorted(Path(folder).glob("*.yaml"))
    assert files, f"ANDON_CRDS: no schemas in {folder}"
    found = {}
    for crd in (one for file in files for one in yaml.load_all(file.read_text("utf-8"), yaml.CSafeLoader)):
        names = crd["spec"]["names"]
        for version in crd["spec"]["versions"]:
            schema = _strict(version["schema"]["openAPIV3Schema"])
            schema["properties"]["metadata"] = {}
            found[f"{crd['spec']['group']}/{version['name']}", names["kind"]] = Draft202012Validator(schema)
    return found


def _strict(schema: Any) -> Any:
    """A CRD's schema as the API server applies it in strict mode: a key that it does not know is a fault."""
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {
        key: {name: _strict(inner) for name, inner in item.items()} if key == "properties" else _strict(item)
        for key, item in schema.items()
    }
    if "properties" in result and not result.get("x-kubernetes-preserve-unknown-fields"):
        result.setdefault("additionalProperties", False)
    if result.get("x-kubernetes-int-or-string"):
        result.pop("type", None)
    return result


def test_a_packaged_chart_renders_the_same(tmp_path: Path) -> None:
    """Rules and dashboards are links to files outside the chart: the package has the files themselves."""
    assert helm("package", str(CHART), "--destination", str(tmp_path)).returncode == 0
    (package,) = tmp_path.glob("*.tgz")
    values = ("--values", str(CHART / "ci" / "everything.yaml"))
    texts = [helm("template", "press", str(place), *values).stdout for place in (CHART, package)]
    assert texts[0] == texts[1]
    assert "AndonProcessDown" in texts[1]
