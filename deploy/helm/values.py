"""The values of the chart: line.yaml under `line`, and around it what a cluster adds. The source of the chart's schema.

Keys outside `line` are written as Kubernetes writes its own. What is a part of a Kubernetes object (`resources`,
`affinity`, a volume) has that object's keys; the API server checks them.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from andon.settings import PoolName, Settings
from andon.settings.section import SiteName

Replicas = Annotated[int, Field(ge=1)]
Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")]
Cidr = Annotated[str, Field(pattern=r"^[0-9a-fA-F.:]+/[0-9]{1,3}$")]
Port = Annotated[int, Field(ge=1, le=65535)]
FileName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,100}$")]
WorkerRange = Annotated[str, Field(pattern=r"^[0-9]{1,4}\.\.[1-9][0-9]{0,3}$")]
KubernetesObject = dict[str, Any]
Peers = tuple[KubernetesObject, ...]
"""NetworkPolicyPeer objects: `podSelector`, `namespaceSelector`, `ipBlock`."""


class Values(BaseModel):
    """A section of values.yaml. An unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True)


class Image(Values):
    repository: str
    tag: str = ""
    """Empty: the chart's appVersion."""
    digest: str = Field(default="", pattern=r"^(sha256:[0-9a-f]{64})?$")
    """It goes before the tag."""


class Images(Values):
    ingest: Image
    workers: Image
    sinks: Image
    valkey: Image
    pull_policy: str = Field(pattern=r"^(Always|IfNotPresent|Never)$")
    pull_secrets: tuple[str, ...]


class SecretKey(Values):
    """One key of a Kubernetes Secret."""

    name: str
    key: str


class Pods(Values):
    """What every kind of pod may have, in Kubernetes' own words."""

    resources: KubernetesObject = {}
    node_selector: dict[str, str] = {}
    tolerations: tuple[KubernetesObject, ...] = ()
    affinity: KubernetesObject = {}
    priority_class_name: str = ""
    annotations: dict[str, str] = {}
    env: tuple[KubernetesObject, ...] = ()


class Spool(Values):
    storage_class_name: str


class Site(Pods):
    """Ingesters of a site; what is not here is as for ingest itself."""

    replicas: Replicas = 1
    spool: Spool | None = None


class Ingest(Pods):
    replicas: Annotated[int, Field(ge=0)]
    spool: Spool
    sites: dict[SiteName, Site]


class Gpu(Values):
    resource: str = Field(default="nvidia.com/gpu", pattern=r"^[a-z0-9.-]+/[A-Za-z0-9._-]+$")
    runtime_class_name: str = ""


class Pool(Pods):
    workers: Replicas | WorkerRange = 1
    gpu: Gpu | None = None
    cache: KubernetesObject = {}


class DataVolume(Values):
    size: Quantity
    storage_class_name: str
    access_mode: str = Field(pattern=r"^ReadWrite(Once|Many|OncePod)$")


class Sinks(Pods):
    replicas: Replicas
    data: DataVolume


class Ingress(Values):
    host: str
    """Empty: no Ingress."""
    tls_secret: str
    class_name: str
    annotations: dict[str, str]


class Board(Pods):
    enabled: bool
    port: Port
    ingress: Ingress


class Volume(Values):
    size: Quantity
    storage_class_name: str


class Strimzi(Values):
    enabled: bool
    brokers: Replicas
    volume: Volume
    resources: KubernetesObject = {}
    kafka: KubernetesObject


class Valkey(Pods):
    enabled: bool
    password: SecretKey
    volume: Volume
    max_memory: str = Field(pattern=r"^[0-9]+(kb|mb|gb)$")


class CloudNativePG(Values):
    enabled: bool
    spec: KubernetesObject


class Cameras(Values):
    cidrs: tuple[Cidr, ...]
    ports: tuple[Port, ...]


class NetworkPolicy(Values):
    enabled: bool
    cameras: Cameras
    dns: Peers
    prometheus: Peers
    keda: Peers
    cnpg: Peers
    kafka: Peers
    redis: Peers
    postgres: Peers
    tracing: Peers
    board: Peers
    alert_consumers: Peers
    sinks_egress: tuple[KubernetesObject, ...]


class Monitoring(Values):
    enabled: bool
    labels: dict[str, str]
    dashboard_labels: dict[str, str]


class ChartValues(Values):
    line: Settings
    secrets: dict[FileName, SecretKey]
    models: KubernetesObject
    images: Images
    ingest: Ingest
    workers: Pods
    pools: dict[PoolName, Pool]
    sinks: Sinks
    board: Board
    strimzi: Strimzi
    valkey: Valkey
    cloudnativepg: CloudNativePG
    network_policy: NetworkPolicy
    monitoring: Monitoring
