"""The rendered line.yaml is one that every role loads, and the chart goes by the settings in it."""

import json
import math
import re
from pathlib import Path

import pytest
import yaml
from sqlalchemy import make_url

from andon import __version__
from andon.config import load
from andon.process.watchdog import FORCE_S
from andon.settings import Settings
from andon.stream.topics import line_topics, new_topics
from deploy.helm.generated import files
from tests.unit.deploy.helm.chart import (
    CHART,
    EXAMPLES,
    ROLES,
    Manifest,
    RenderedChart,
    component,
    container,
    pod,
    refusal,
    rendered,
)

SECRETS = "/secrets/"


def settings_of(chart: RenderedChart, folder: Path, workload: Manifest | None = None) -> Settings:
    """The settings as a process of `workload` reads them, with a made-up content of each secret."""
    for name in set(re.findall(rf"{SECRETS}([A-Za-z0-9._-]+)", chart.line)):
        (folder / name).write_text(f"content-of-{name}\n")
    path = folder / "line.yaml"
    path.write_text(chart.line.replace(SECRETS, f"{folder}/"))
    variables = container(workload)["env"] if workload else []
    return load(path, {one["name"]: one.get("value", "pod-0") for one in variables if one["name"].startswith("ANDON_")})


@pytest.mark.parametrize("name", ROLES)
@pytest.mark.parametrize("example", EXAMPLES)
def test_each_role_loads_the_line(example: str, name: str, tmp_path: Path) -> None:
    chart = rendered(example)
    for workload in (one for one in chart.roles() if component(one) == name):
        settings = settings_of(chart, tmp_path, workload)
        probed = {
            container(workload)[f"{probe}Probe"]["httpGet"]["port"] for probe in ("startup", "liveness", "readiness")
        }
        assert probed == {"http"}
        assert container(workload)["ports"] == [{"name": "http", "containerPort": settings.http.port}]
        assert settings.http.host == "0.0.0.0"
        assert bool(settings.kafka.member) == (name != "workers"), "a Deployment's pods have new names each time"


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_pod_is_not_killed_while_it_drains(example: str, tmp_path: Path) -> None:
    chart = rendered(example)
    drain_s = settings_of(chart, tmp_path).run.drain_s
    for workload in chart.roles():
        assert pod(workload)["spec"]["terminationGracePeriodSeconds"] >= drain_s + FORCE_S + 5


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_worker_has_time_for_a_first_export(example: str, tmp_path: Path) -> None:
    chart = rendered(example)
    settings = settings_of(chart, tmp_path)
    needed_s = settings.worker.export_timeout_s + 2 * settings.worker.load_timeout_s + settings.kafka.start_timeout_s
    for workload in (one for one in chart.roles() if component(one) == "workers"):
        probe, pods = container(workload)["startupProbe"], pod(workload)["spec"]
        (cache,) = (volume for volume in pods["volumes"] if volume["name"] == "cache")
        never = {"name": "ANDON_WORKER__TUNE_TIMEOUT_S", "value": "0"} in container(workload)["env"]
        assert never == ("emptyDir" in cache), "where each pod has a cache of its own, each would measure"
        start_s = needed_s + (0 if never else settings.worker.tune_timeout_s)
        assert probe["failureThreshold"] * probe["periodSeconds"] >= start_s
        assert workload["spec"]["progressDeadlineSeconds"] > start_s


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_pool_has_workers_of_its_own(example: str, tmp_path: Path) -> None:
    chart = rendered(example)
    pools = settings_of(chart, tmp_path).pools
    workers = {container(one)["args"][-1]: one for one in chart.roles() if component(one) == "workers"}
    assert workers.keys() == pools.keys()
    for pool, workload in workers.items():
        assert container(workload)["args"] == ["work", "-c", "line.yaml", "--pool", pool]


@pytest.mark.parametrize("example", [name for name in EXAMPLES if name != "cpu-box"])
def test_keda_scales_each_pool_by_its_own_topic_group_and_thresholds(example: str, tmp_path: Path) -> None:
    chart = rendered(example)
    settings = settings_of(chart, tmp_path)
    assert len(chart.kind("ScaledObject")) == len(settings.pools)
    for pool, its in settings.pools.items():
        spec = chart.named("ScaledObject", f"workers-{pool}")["spec"]
        (trigger,) = spec["triggers"]
        assert (
            trigger["metadata"].items()
            >= {
                "bootstrapServers": settings.kafka.bootstrap_servers,
                "topic": settings.pool_topic(pool),
                "consumerGroup": settings.worker_group(pool),
                "lagThreshold": str(its.scaling.lag_threshold),
                "activationLagThreshold": str(its.scaling.activation_lag),
                "limitToPartitionsWithLag": "true",
                "excludePersistentLag": "true",
                "offsetResetPolicy": "earliest",
            }.items()
        )
        behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        assert behavior["scaleUp"]["stabilizationWindowSeconds"] == its.scaling.up_window_s
        assert behavior["scaleDown"]["stabilizationWindowSeconds"] == its.scaling.down_window_s
        assert (spec["pollingInterval"], spec["cooldownPeriod"]) == (its.scaling.poll_s, its.scaling.cooldown_s)
        assert spec["maxReplicaCount"] <= settings.kafka.partitions
        deployment = chart.named("Deployment", f"workers-{pool}")
        assert spec["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
        assert "replicas" not in deployment["spec"], "an upgrade would reset what KEDA has set"


def test_a_fixed_number_of_workers_needs_no_keda() -> None:
    chart = rendered("cpu-box")
    assert chart.kind("ScaledObject") == []
    assert chart.named("Deployment", "workers-default")["spec"]["replicas"] == 2


def test_keda_logs_in_as_the_workers_do(tmp_path: Path) -> None:
    for example, secret in (("everything", "press-workers"), ("existing-kafka", "kafka-andon")):
        chart = rendered(example)
        worker = chart.named("Deployment", "workers-default")
        settings = settings_of(chart, tmp_path, worker).kafka
        login = chart.named("TriggerAuthentication", "kafka")["spec"]
        refs = {one["parameter"]: (one["name"], one["key"]) for one in login["secretTargetRef"]}
        assert refs["password"] == secret_behind(worker, "kafka_password") == (secret, "password")
        assert refs["ca"] == secret_behind(worker, "kafka_ca.crt")
        (username,) = login["env"]
        assert username["containerName"] == container(worker)["name"]
        assert {"name": username["name"], "value": settings.sasl_username} in container(worker)["env"]
        (trigger,) = chart.named("ScaledObject", "workers-default")["spec"]["triggers"]
        assert trigger["authenticationRef"]["name"] == "press-kafka"
        assert (trigger["metadata"]["sasl"], trigger["metadata"]["tls"]) == ("scram_sha512", "enable")


@pytest.mark.parametrize("example", ["one-gpu", "farm-mig", "everything"])
def test_strimzi_makes_the_topics_that_andon_would_make(example: str, tmp_path: Path) -> None:
    chart = rendered(example)
    settings = settings_of(chart, tmp_path)
    specs = {topic["spec"]["topicName"]: topic["spec"] for topic in chart.kind("KafkaTopic")}
    expected = {topic.name: topic for topic in new_topics(line_topics(settings), settings.kafka)}
    assert specs.keys() == expected.keys()
    for name, topic in expected.items():
        config = {key: str(value).lower() for key, value in specs[name]["config"].items()}
        assert config == {key: value.lower() for key, value in topic.topic_configs.items()}, name
        assert (specs[name]["partitions"], specs[name]["replicas"]) == (topic.num_partitions, topic.replication_factor)
    assert chart.kind("Job") == []


def test_strimzi_keeps_as_many_copies_as_it_has_brokers_up_to_three(tmp_path: Path) -> None:
    assert settings_of(rendered("one-gpu"), tmp_path).kafka.replication == 1
    assert settings_of(rendered("farm-mig"), tmp_path).kafka.replication == 3


def test_without_strimzi_a_job_makes_the_topics_and_a_new_line_is_a_new_job() -> None:
    (job,) = rendered("existing-kafka").kind("Job")
    assert container(job)["args"] == ["topics", "create", "-c", "line.yaml"]
    (other,) = rendered("existing-kafka", "line.kafka.partitions=48").kind("Job")
    assert other["metadata"]["name"] != job["metadata"]["name"]


def test_a_camera_that_is_added_restarts_no_worker() -> None:
    more = 'line.cameras=[{"id": "a", "url": "rtsp://a"}, {"id": "b", "url": "rtsp://b"}]'
    before, after = rendered("cpu-box"), rendered("cpu-box", more)

    def checksum(chart: RenderedChart, kind: str, name: str) -> str:
        return str(pod(chart.named(kind, name))["metadata"]["annotations"]["checksum/line"])

    worker, ingest = ("Deployment", "workers-default"), ("StatefulSet", "ingest")
    assert checksum(before, *worker) == checksum(after, *worker)
    assert checksum(before, *ingest) != checksum(after, *ingest)


def test_the_spool_fits_on_its_volume(tmp_path: Path) -> None:
    for example in EXAMPLES:
        chart = rendered(example)
        (claim,) = chart.named("StatefulSet", "ingest")["spec"]["volumeClaimTemplates"]
        size = int(claim["spec"]["resources"]["requests"]["storage"].removesuffix("Gi")) * 2**30
        spool = settings_of(chart, tmp_path).spool
        assert size >= 1.25 * spool.max_bytes
        assert spool.folder == "/spool"
    without = rendered("cpu-box", "line.spool.max_bytes=0").named("StatefulSet", "ingest")
    assert "volumeClaimTemplates" not in without["spec"]
    assert "/spool" not in {mount["mountPath"] for mount in container(without)["volumeMounts"]}


def test_the_ingesters_of_a_site_share_its_cameras_on_their_own_nodes(tmp_path: Path) -> None:
    chart = rendered("farm-mig")
    everywhere, there = chart.named("StatefulSet", "ingest"), chart.named("StatefulSet", "ingest-hall-3")
    assert settings_of(chart, tmp_path, everywhere).ingest.site is None
    assert settings_of(chart, tmp_path, there).ingest.site == "hall-3"
    assert (everywhere["spec"]["replicas"], there["spec"]["replicas"]) == (6, 2)
    assert pod(there)["spec"]["nodeSelector"] == {"andon/cameras": "hall-3"}
    (claim,) = there["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["storageClassName"] == "local-nvme", "as for ingest itself"
    names = [one["metadata"]["name"] for one in rendered("farm-mig", "ingest.replicas=0").kind("StatefulSet")]
    assert sorted(names) == ["press-ingest-hall-3", "press-sinks", "press-valkey"]


def test_cameras_may_stand_in_the_registry_alone(tmp_path: Path) -> None:
    chart = rendered("cpu-box", 'line.cameras="registry"')
    assert settings_of(chart, tmp_path).cameras == ()
    assert yaml.safe_load(chart.line)["cameras"] == "registry"


def test_a_gpu_is_asked_for_by_the_name_of_its_slice() -> None:
    for example, pool, resource in (
        ("one-gpu", "default", "nvidia.com/gpu.shared"),
        ("farm-mig", "seams", "nvidia.com/mig-2g.20gb"),
    ):
        worker = rendered(example).named("Deployment", f"workers-{pool}")
        assert container(worker)["resources"]["limits"][resource] == 1, "one worker holds one GPU"
        assert pod(worker)["spec"]["runtimeClassName"] == "nvidia"
        assert worker["spec"]["strategy"]["rollingUpdate"]["maxSurge"] == 0, "a new pod may find no free GPU"


def test_what_the_chart_takes_from_the_code_is_in_step() -> None:
    stale = [str(path) for path, content in files().items() if path.read_text("utf-8") != content]
    assert stale == [], "`python -m deploy.helm.generated` writes them"


@pytest.mark.parametrize(
    ("example", "value", "line"),
    [
        ("one-gpu", 'line.kafka.bootstrap_servers="a:9092"', "line.kafka.bootstrap_servers: the chart sets it"),
        ("cpu-box", 'line.redis.url="redis://a"', "line.redis.url: the chart sets it"),
        ("cpu-box", "sinks.replicas=2", "sinks.replicas: more than one sink needs PostgreSQL"),
        ("everything", 'sinks.data.accessMode="ReadWriteOnce"', "sinks.data.accessMode ReadWriteMany"),
        (
            "cpu-box",
            'pools.default.workers="1..25"',
            "pools.default.workers: 25 workers, but line.kafka.partitions is 24",
        ),
        ("cpu-box", 'pools.default.workers="4..2"', "pools.default.workers: 4..2: the second number is the most"),
        ("cpu-box", "pools.hevy.workers=2", "pools.hevy: line.pools has no such pool; it has: default"),
        ("cpu-box", 'line.pools.default.model.weights=""', "line.pools.default.model.weights: name a file"),
        (
            "cpu-box",
            'line.cameras[0].url="rtsp://a:${file:/secrets/b}@c"',
            "line names /secrets/b: secrets.b must say which",
        ),
        (
            "cpu-box",
            'line.cameras[0].url="rtsp://a:${file:/run/b}@c"',
            "line names ${file:/run/b}: a pod has files below",
        ),
        ("cpu-box", 'line.cameras[0].url="rtsp://a:${PW}@b"', "line names ${PW}: no pod has that variable"),
        ("one-gpu", "line.kafka.replication=3", "line.kafka.replication: 3 copies need as many brokers"),
        ("cpu-box", 'line.kafka.bootstrap_server="a:9092"', "additional properties 'bootstrap_server' not allowed"),
        (
            "cpu-box",
            'line.cameras[0].site="roof"',
            "line.cameras: press-1 is at the site roof, and ingest.sites has no",
        ),
        ("cpu-box", 'line.ingest.site="roof"', "line.ingest.site: leave it out; ingest.sites makes"),
        ("cpu-box", f'line.pools.{"a" * 40}.model.weights="x"', "a name of more than 52 characters; shorten"),
        ("cpu-box", "worker=3", "additional properties 'worker' not allowed"),
        ("cpu-box", 'line.cameras[0].policy="fast"', "'/line/cameras/0/policy'"),
        ("cpu-box", "line.run.drain_s=0", "'/line/run/drain_s'"),
        ("cpu-box", 'pools.default.workers="1-4"', "'/pools/default/workers'"),
    ],
)
def test_a_value_that_can_not_work_is_refused_in_a_readable_line(example: str, value: str, line: str) -> None:
    assert line in refusal(example, value)


def test_the_grace_is_computed_from_the_settings() -> None:
    grace = pod(rendered("farm-mig").named("StatefulSet", "sinks"))["spec"]["terminationGracePeriodSeconds"]
    assert grace == math.ceil(45 + FORCE_S) + 7


@pytest.mark.parametrize("example", ["one-gpu", "farm-mig", "everything"])
def test_the_line_logs_in_to_the_cluster_that_strimzi_makes(example: str, tmp_path: Path) -> None:
    """Strimzi names what it makes by its own rules: https://strimzi.io/docs/operators/latest/configuring."""
    chart = rendered(example)
    (kafka,), (pool,) = chart.kind("Kafka"), chart.kind("KafkaNodePool")
    cluster = kafka["metadata"]["name"]
    (listener,) = kafka["spec"]["kafka"]["listeners"]
    assert (listener["tls"], listener["authentication"]["type"]) == (True, "scram-sha-512")
    users = {user["metadata"]["name"] for user in chart.kind("KafkaUser")}
    for workload in chart.roles():
        settings = settings_of(chart, tmp_path, workload).kafka
        assert settings.bootstrap_servers == f"{cluster}-kafka-bootstrap.plant.svc:{listener['port']}"
        assert (settings.security_protocol, settings.sasl_mechanism) == ("SASL_SSL", "SCRAM-SHA-512")
        assert settings.sasl_username in users
        assert settings.sasl_username == f"press-{component(workload)}"
        assert secret_behind(workload, "kafka_password") == (settings.sasl_username, "password")
        assert secret_behind(workload, "kafka_ca.crt") == (f"{cluster}-cluster-ca-cert", "ca.crt")
    for one in (pool, *chart.kind("KafkaUser"), *chart.kind("KafkaTopic")):
        assert one["metadata"]["labels"]["strimzi.io/cluster"] == cluster


def test_a_worker_can_make_no_camera_and_no_defect(tmp_path: Path) -> None:
    chart = rendered("everything")
    kafka = settings_of(chart, tmp_path).kafka
    assert kafka.group_prefix == "press"
    writes = {}
    for user in chart.kind("KafkaUser"):
        rules = user["spec"]["authorization"]["acls"]
        writes[user["metadata"]["name"]] = {rule["resource"]["name"] for rule in rules if "Write" in rule["operations"]}
        assert [rule for rule in rules if not rule["resource"]["name"].startswith(("andon.", "press."))] == []
    assert writes["press-workers"] == {kafka.inspections_topic, kafka.quarantine_topic}
    assert {name for name, topics in writes.items() if kafka.cameras_topic in topics} == {"press-ingest", "press-board"}
    assert writes["press-board"] == {kafka.cameras_topic, kafka.alarms_topic}
    assert {name for name, topics in writes.items() if kafka.defects_topic in topics} == {"press-sinks"}


def test_the_sinks_log_in_to_the_database_that_cloudnativepg_makes(tmp_path: Path) -> None:
    """By its rules for names: https://cloudnative-pg.io/documentation/current/applications."""
    chart = rendered("everything")
    cluster = chart.kind("Cluster")[0]
    name, wanted = cluster["metadata"]["name"], cluster["spec"]["bootstrap"]["initdb"]
    url = make_url(settings_of(chart, tmp_path).sinks.store.get_secret_value())
    assert (url.drivername, url.host, url.port) == ("postgresql+psycopg", f"{name}-rw", 5432)
    assert url.database == wanted["database"]
    assert (url.username, url.password) == ("content-of-db_username", "content-of-db_password")
    assert url.query == {"sslmode": "verify-full", "sslrootcert": str(tmp_path / "db_ca.crt")}
    sinks = chart.named("StatefulSet", "sinks")
    assert secret_behind(sinks, "db_password") == (f"{name}-app", "password")
    assert secret_behind(sinks, "db_ca.crt") == (f"{name}-ca", "ca.crt")


def secret_behind(workload: Manifest, file: str) -> tuple[str, str]:
    """The Secret and the key that a pod reads at /secrets/FILE."""
    sources = next(one["projected"]["sources"] for one in pod(workload)["spec"]["volumes"] if one["name"] == "secrets")
    keys = {one["secret"]["items"][0]["path"]: one["secret"] for one in sources}
    return keys[file]["name"], keys[file]["items"][0]["key"]


def test_the_chart_is_of_the_version_of_andon() -> None:
    assert yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))["appVersion"] == __version__


def test_what_operators_can_do_besides_is_one_value_away() -> None:
    backup = {"barmanObjectStore": {"destinationPath": "s3://backups"}}
    chart = rendered("everything", f"cloudnativepg.spec.backup={json.dumps(backup)}")
    (cluster,), (kafka,) = chart.kind("Cluster"), chart.kind("Kafka")
    assert cluster["spec"]["backup"] == backup
    assert cluster["spec"]["storage"] == {"size": "50Gi", "storageClass": "fast"}
    assert kafka["spec"]["kafka"]["version"] == "4.3.1"
    assert kafka["spec"]["kafka"]["config"]["min.insync.replicas"] == 2


def test_a_pool_has_what_all_workers_have_but_for_its_own() -> None:
    memory = 'pools.heavy.resources={"limits": {"memory": "12Gi"}}'
    chart = rendered("everything", memory)
    sizes = {
        pool: container(chart.named("Deployment", f"workers-{pool}"))["resources"] for pool in ("default", "heavy")
    }
    assert {pool: size["limits"]["memory"] for pool, size in sizes.items()} == {"default": "6Gi", "heavy": "12Gi"}
    assert sizes["heavy"]["requests"] == sizes["default"]["requests"]
