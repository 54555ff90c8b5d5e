"""Who may connect to whom: the policies, applied as a network plugin applies them."""

import ipaddress
from dataclasses import dataclass, field

import pytest

from tests.unit.deploy.helm.chart import EXAMPLES, Manifest, RenderedChart, component, container, pod, rendered
from tests.unit.deploy.helm.test_pods import selected


@dataclass(frozen=True, slots=True)
class Peer:
    """A pod with its labels and its namespace, or what has an address only."""

    labels: Manifest = field(default_factory=dict)
    namespace: str = "plant"
    address: str = ""

    def matches(self, rule: Manifest) -> bool:
        if "ipBlock" in rule:
            return bool(self.address) and ipaddress.ip_address(self.address) in ipaddress.ip_network(
                rule["ipBlock"]["cidr"]
            )
        if self.address:
            return False
        if "namespaceSelector" in rule:
            there = selected(rule["namespaceSelector"], {"kubernetes.io/metadata.name": self.namespace})
        else:
            there = self.namespace == "plant"
        return there and selected(rule.get("podSelector", {}), self.labels)


def allowed(chart: RenderedChart, source: Peer, target: Peer, port: int) -> bool:
    """A connection goes through if both ends allow it; an end that no policy selects allows all."""
    return _end(chart, "Egress", source, target, port) and _end(chart, "Ingress", target, source, port)


def _end(chart: RenderedChart, direction: str, own: Peer, other: Peer, port: int) -> bool:
    key, side = ("egress", "to") if direction == "Egress" else ("ingress", "from")
    policies = [
        one["spec"]
        for one in chart.kind("NetworkPolicy")
        if not own.address
        and own.namespace == "plant"
        and direction in one["spec"]["policyTypes"]
        and selected(one["spec"]["podSelector"], own.labels)
    ]
    rules = [rule for policy in policies for rule in policy.get(key, [])]
    return not policies or any(
        port in {one["port"] for one in rule["ports"]} and any(other.matches(peer) for peer in rule[side])
        for rule in rules
    )


def peer(chart: RenderedChart, name: str) -> Peer:
    workload = next(one for one in chart.workloads() if component(one) == name)
    return Peer(pod(workload)["metadata"]["labels"])


BROKER = Peer({"strimzi.io/cluster": "press", "strimzi.io/kind": "Kafka"})
DATABASE = Peer({"cnpg.io/cluster": "press-db"})
DNS = Peer({"k8s-app": "kube-dns"}, "kube-system")
PROMETHEUS = Peer({"app.kubernetes.io/name": "prometheus"}, "monitoring")
COLLECTOR = Peer({}, "monitoring")
CAMERA = Peer(address="10.0.0.11")
INTERNET = Peer(address="93.184.216.34")
STRANGER = Peer({"app": "shop"}, "default")


def test_every_flow_that_a_line_needs_goes_through() -> None:
    chart = rendered("everything")
    ingest, workers, sinks, valkey = (peer(chart, name) for name in ("ingest", "workers", "sinks", "valkey"))
    for role in (ingest, workers, sinks):
        assert allowed(chart, role, BROKER, 9093)
        assert allowed(chart, role, DNS, 53)
        assert allowed(chart, PROMETHEUS, role, 9100)
        assert allowed(chart, role, COLLECTOR, 4318)
        assert not allowed(rendered("farm-mig"), role, COLLECTOR, 4318), "it is not traced"
    assert allowed(chart, ingest, CAMERA, 554)
    assert allowed(chart, sinks, valkey, 6379)
    assert allowed(chart, ingest, valkey, 6379), "andon camera list"
    assert allowed(chart, sinks, DATABASE, 5432)
    assert allowed(chart, Peer({}, "mes"), valkey, 6379), "alertConsumers"
    assert allowed(chart, Peer({}, "cnpg-system"), DATABASE, 8000)
    assert allowed(chart, DATABASE, DATABASE, 5432)
    assert allowed(chart, PROMETHEUS, DATABASE, 9187)


def test_no_other_flow_goes_through() -> None:
    chart = rendered("everything")
    ingest, workers, sinks, valkey = (peer(chart, name) for name in ("ingest", "workers", "sinks", "valkey"))
    for role in (ingest, workers, sinks):
        assert not allowed(chart, role, INTERNET, 443)
        assert not allowed(chart, STRANGER, role, 9100)
        assert not allowed(chart, ingest, role, 9100)
    for source in (ingest, workers, STRANGER):
        assert not allowed(chart, source, DATABASE, 5432)
    assert not allowed(chart, workers, valkey, 6379)
    assert not allowed(chart, STRANGER, valkey, 6379)
    assert not allowed(chart, workers, CAMERA, 554)
    assert not allowed(chart, sinks, CAMERA, 554)
    assert not allowed(chart, valkey, INTERNET, 443)
    assert not allowed(chart, ingest, CAMERA, 22)


def test_servers_of_your_own_are_reached_where_and_how_the_line_names_them() -> None:
    chart = rendered("existing-kafka")
    kafka, redis, postgres = (Peer(address=f"10.1.{net}.5") for net in (0, 1, 2))
    for name in ("ingest", "workers", "sinks", "topics"):
        assert allowed(chart, peer(chart, name), kafka, 9093)
        assert not allowed(chart, peer(chart, name), redis, 9093)
    sinks = peer(chart, "sinks")
    assert allowed(chart, sinks, redis, 6380)
    assert allowed(chart, sinks, postgres, 5432)
    assert not allowed(chart, peer(chart, "workers"), redis, 6380)


def test_a_broker_in_another_namespace_is_reached() -> None:
    """Some network plugins apply an ipBlock to addresses outside the cluster alone."""
    chart = rendered("cpu-box")
    assert allowed(chart, peer(chart, "ingest"), Peer({}, "kafka"), 9092)
    assert not allowed(chart, peer(chart, "ingest"), Peer({}, "kafka"), 9093)


def test_sinks_reach_an_object_store_by_a_rule_of_yours() -> None:
    chart = rendered("farm-mig")
    assert allowed(chart, peer(chart, "sinks"), Peer(address="10.9.3.4"), 443)
    assert not allowed(chart, peer(chart, "workers"), Peer(address="10.9.3.4"), 443)


@pytest.mark.parametrize("example", ["one-gpu", "farm-mig", "everything"])
def test_the_brokers_take_the_line_and_keda(example: str) -> None:
    chart = rendered(example)
    (kafka,) = chart.kind("Kafka")
    (listener,) = kafka["spec"]["kafka"]["listeners"]
    for name in ("ingest", "workers", "sinks"):
        assert any(peer(chart, name).matches(rule) for rule in listener["networkPolicyPeers"])
    assert any(Peer({}, "keda").matches(rule) for rule in listener["networkPolicyPeers"])
    assert not any(STRANGER.matches(rule) for rule in listener["networkPolicyPeers"])


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_pod_of_the_line_is_denied_everything_by_default(example: str) -> None:
    chart = rendered(example)
    spec = chart.named("NetworkPolicy", "default")["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in spec
    for workload in chart.workloads():
        assert selected(spec["podSelector"], pod(workload)["metadata"]["labels"])


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_port_of_the_probes_is_the_port_that_prometheus_may_read(example: str) -> None:
    chart = rendered(example)
    for workload in chart.roles():
        (port,) = container(workload)["ports"]
        assert allowed(chart, PROMETHEUS, Peer(pod(workload)["metadata"]["labels"]), port["containerPort"])


def test_policies_can_be_switched_off() -> None:
    chart = rendered("everything", "networkPolicy.enabled=false")
    assert chart.kind("NetworkPolicy") == []
    assert "networkPolicyPeers" not in chart.kind("Kafka")[0]["spec"]["kafka"]["listeners"][0]


def test_the_board_is_open_to_the_ingress_controller_alone() -> None:
    chart = rendered("everything")
    board = peer(chart, "board")
    assert allowed(chart, Peer(namespace="ingress-nginx"), board, 8081)
    assert not allowed(chart, Peer(namespace="ingress-nginx"), board, 9100)
    assert not allowed(chart, Peer(namespace="elsewhere"), board, 8081)
    assert not allowed(chart, peer(chart, "workers"), board, 8081)


def test_the_board_may_read_the_metrics_of_every_role_and_nobody_elses() -> None:
    chart = rendered("everything")
    board = peer(chart, "board")
    for role in ("ingest", "workers", "sinks"):
        assert allowed(chart, board, peer(chart, role), 9100), role
        assert not allowed(chart, board, peer(chart, role), 8081)
    assert not allowed(chart, peer(chart, "workers"), peer(chart, "sinks"), 9100)
    assert not allowed(chart, peer(chart, "sinks"), board, 9100)
