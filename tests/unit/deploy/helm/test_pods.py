"""How the pods run: without rights, without secrets in the open, watched, and apart from each other."""

import json
import re
from typing import Any

import pytest
import yaml

from tests.unit.deploy.helm.chart import (
    CHART,
    EXAMPLES,
    ROLES,
    Manifest,
    component,
    container,
    pod,
    refusal,
    rendered,
)

OPERATORS = ("Kafka", "KafkaNodePool", "KafkaUser", "Cluster")
REFERENCE = re.compile(r"\$\{file:/secrets/[^}]+\}")
PASSWORD = re.compile(r"://[^/@:\s]*:(?P<password>[^/@\s]+)@")


def selected(selector: Manifest, labels: Manifest) -> bool:
    """Whether a label selector selects an object with these labels."""
    for wish in selector.get("matchExpressions", []):
        assert wish["operator"] == "In"
        if labels.get(wish["key"]) not in wish["values"]:
            return False
    return bool(selector.get("matchLabels", {}).items() <= labels.items())


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_pod_is_as_restricted_as_the_pod_security_standard_asks(example: str) -> None:
    for workload in rendered(example).workloads():
        spec = pod(workload)["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == 10001
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container(workload)["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC"}
        assert [volume for volume in spec["volumes"] if "hostPath" in volume] == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_no_pod_has_a_token_or_the_variables_of_services(example: str) -> None:
    chart = rendered(example)
    (account,) = chart.kind("ServiceAccount")
    assert account["automountServiceAccountToken"] is False
    for workload in chart.workloads():
        spec = pod(workload)["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False, "a Service named andon-... makes variables that look like settings"
        assert spec["serviceAccountName"] == account["metadata"]["name"]


@pytest.mark.parametrize("example", EXAMPLES)
def test_no_manifest_holds_a_secret(example: str) -> None:
    chart = rendered(example)
    assert chart.kind("Secret") == []
    text = REFERENCE.sub("REFERENCE", yaml.safe_dump(list(chart.manifests), width=10_000))
    passwords = [found["password"] for found in PASSWORD.finditer(text)]
    assert set(passwords) == {"REFERENCE"}
    document = yaml.safe_load(chart.line)
    assert str(document["kafka"].get("sasl_password", "${file:")).startswith("${file:")
    named = re.compile("password|secret|token", re.IGNORECASE)
    for workload in chart.workloads():
        for variable in container(workload).get("env", []):
            assert not named.search(variable["name"]) or "valueFrom" in variable


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_file_that_the_line_reads_is_mounted(example: str) -> None:
    chart = rendered(example)
    needed = set(re.findall(r"/secrets/([A-Za-z0-9._-]+)", chart.line))
    for workload in chart.roles():
        assert needed <= set(_mounted(workload)), component(workload)


def test_ingest_has_the_secrets_of_cameras_that_are_added_later_and_nobody_else_has() -> None:
    later = 'secrets.press-9={"name": "andon-cameras", "key": "press-9"}'
    has = {component(one): "press-9" in _mounted(one) for one in rendered("one-gpu", later).roles()}
    assert has == {"ingest": True, "workers": False, "sinks": False}


def _mounted(workload: Manifest) -> list[str]:
    (volume,) = [one for one in pod(workload)["spec"]["volumes"] if one["name"] == "secrets"]
    mounts = {mount["name"]: mount for mount in container(workload)["volumeMounts"]}
    assert mounts["secrets"]["mountPath"] == "/secrets", "others mount tokens below /run/secrets"
    return [item["path"] for source in volume["projected"]["sources"] for item in source["secret"]["items"]]


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_container_has_bounds_and_every_process_that_stays_has_probes(example: str) -> None:
    chart = rendered(example)
    for workload in chart.workloads():
        one = container(workload)
        assert one["resources"]["limits"]["memory"]
        assert one["resources"]["requests"].keys() >= {"cpu", "memory"}
        if workload["kind"] != "Job":
            assert one.keys() >= {"startupProbe", "livenessProbe", "readinessProbe"}


@pytest.mark.parametrize("example", EXAMPLES)
def test_what_a_pod_writes_to_is_a_volume_with_a_bound(example: str) -> None:
    for workload in rendered(example).workloads():
        for volume in pod(workload)["spec"]["volumes"]:
            assert "emptyDir" not in volume or volume["emptyDir"].get("sizeLimit"), volume["name"]
        assert "/tmp" in {mount["mountPath"] for mount in container(workload)["volumeMounts"]}


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_node_can_be_drained_and_takes_one_process_of_a_kind_at_a_time(example: str) -> None:
    chart = rendered(example)
    budgets = chart.kind("PodDisruptionBudget")
    for workload in (one for one in chart.workloads() if one["kind"] != "Job"):
        labels = pod(workload)["metadata"]["labels"]
        (budget,) = [one for one in budgets if selected(one["spec"]["selector"], labels)]
        assert budget["spec"]["maxUnavailable"] == 1


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_selector_selects_the_pods_of_its_own_workload_alone(example: str) -> None:
    workloads = rendered(example).workloads()
    for workload in (one for one in workloads if one["kind"] != "Job"):
        chosen = [one for one in workloads if selected(workload["spec"]["selector"], pod(one)["metadata"]["labels"])]
        assert chosen == [workload]
        for constraint in pod(workload)["spec"].get("topologySpreadConstraints", []):
            assert selected(constraint["labelSelector"], pod(workload)["metadata"]["labels"])


def test_the_roles_spread_over_nodes_and_zones() -> None:
    for workload in rendered("everything").roles():
        keys = {one["topologyKey"] for one in pod(workload)["spec"]["topologySpreadConstraints"]}
        assert keys == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}


def test_images_are_taken_by_digest_where_one_is_given() -> None:
    images = {container(one)["image"] for one in rendered("everything").workloads()}
    assert len(images) == 4
    assert all(re.search(r"@sha256:[0-9a-f]{64}$", image) for image in images)
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    assert container(rendered("cpu-box").named("StatefulSet", "ingest"))["image"] == f"andon-ingest:{version}"


@pytest.mark.parametrize("example", ["everything", "existing-kafka", "farm-mig"])
def test_prometheus_finds_every_process_at_a_port_that_it_has(example: str) -> None:
    chart = rendered(example)
    (monitor,) = chart.kind("PodMonitor")
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert {"targetLabel": "job", "replacement": "andon"} in endpoint["relabelings"], "the rules ask for this job"
    scraped = [
        one for one in chart.workloads() if selected(monitor["spec"]["selector"], pod(one)["metadata"]["labels"])
    ]
    boards = [one for one in chart.workloads() if component(one) == "board"]
    assert {component(one) for one in scraped} == {*ROLES, *map(component, boards)}
    assert len(scraped) == len(chart.roles()) + len(boards)
    for workload in scraped:
        assert endpoint["port"] in {port["name"] for port in container(workload)["ports"]}


def test_rules_and_dashboards_are_the_files_that_every_other_installation_uses() -> None:
    chart = rendered("everything")
    (rule,) = chart.kind("PrometheusRule")
    deploy = CHART.parents[1]
    assert rule["spec"] == yaml.safe_load((deploy / "prometheus" / "rules.yaml").read_text("utf-8"))
    shown: dict[str, Any] = {}
    for one in chart.kind("ConfigMap"):
        if one["metadata"]["labels"].get("grafana_dashboard") == "1":
            shown |= one["data"]
    assert shown == {path.name: path.read_text("utf-8") for path in (deploy / "grafana").glob("*.json")}


@pytest.mark.parametrize("example", EXAMPLES)
def test_names_of_pods_are_labels_that_kubernetes_takes(example: str) -> None:
    for manifest in rendered(example).manifests:
        assert len(manifest["metadata"]["name"]) <= 63
        assert manifest["metadata"]["namespace"] == "plant"
        if manifest["kind"] not in OPERATORS:
            assert manifest["metadata"]["labels"]["app.kubernetes.io/instance"] == "press"


def test_what_cannot_be_made_again_outlives_the_release() -> None:
    chart = rendered("everything")
    for kept in (chart.named("PersistentVolumeClaim", "data"), chart.named("Cluster", "db")):
        assert kept["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    for name in ("ingest", "valkey"):
        policy = chart.named("StatefulSet", name)["spec"]["persistentVolumeClaimRetentionPolicy"]
        assert policy == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    (volume,) = chart.kind("KafkaNodePool")[0]["spec"]["storage"]["volumes"]
    assert volume["deleteClaim"] is False


def test_the_board_shares_what_the_sinks_have_and_listens_behind_tls() -> None:
    alone = rendered("cpu-box")
    spec = pod(alone.named("Deployment", "board"))["spec"]
    mounts = {one["name"]: one["mountPath"] for one in container(alone.named("Deployment", "board"))["volumeMounts"]}
    assert mounts["data"] == "/data", "the store is a file there"
    (beside,) = spec["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert selected(beside["labelSelector"], pod(alone.named("StatefulSet", "sinks"))["metadata"]["labels"])
    assert alone.kind("Ingress") == []
    farm = rendered("everything")
    (ingress,) = farm.kind("Ingress")
    assert ingress["spec"]["tls"] == [{"hosts": ["board.press.example"], "secretName": "board-tls"}]
    service = farm.named("Service", "board")
    ports = {one["name"]: one["containerPort"] for one in container(farm.named("Deployment", "board"))["ports"]}
    assert service["spec"]["ports"][0]["targetPort"] == "pages"
    assert ports == {"http": 9100, "pages": 8081}
    env = {one["name"]: one.get("value") for one in container(farm.named("Deployment", "board"))["env"]}
    assert (env["ANDON_BOARD__PORT"], env["ANDON_BOARD__BEHIND_PROXY"]) == ("8081", "true")


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_board_asks_a_headless_service_of_each_workload_for_its_metrics(example: str) -> None:
    chart = rendered(example, "board.enabled=true")
    env = {one["name"]: one.get("value") for one in container(chart.named("Deployment", "board"))["env"]}
    services = {one["metadata"]["name"]: one["spec"] for one in chart.kind("Service")}
    names: list[str] = []
    for address in json.loads(env["ANDON_BOARD__PROCESSES"]):
        name, port = address.removeprefix("http://").split(":")
        (own,) = services[name]["ports"]
        assert (services[name]["clusterIP"], own["port"]) == ("None", int(port))
        behind = {"matchLabels": services[name]["selector"]}
        names += [one["metadata"]["name"] for one in chart.roles() if selected(behind, pod(one)["metadata"]["labels"])]
    assert sorted(names) == sorted(one["metadata"]["name"] for one in chart.roles())


def test_a_board_that_cannot_have_its_port_or_its_volume_is_refused() -> None:
    assert "board.port" in refusal("cpu-box", "board.port=8080")
    assert "ReadWriteOncePod" in refusal("cpu-box", 'sinks.data.accessMode="ReadWriteOncePod"')
