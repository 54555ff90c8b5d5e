"""An Apache Kafka node of one's own, from any Kafka 4 distribution on this machine; of it only the jars are used."""

import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

from andon.errors import ConfigError
from deploy.local.server import HOST, Server, free_port, speaks_kafka

FORMAT_S = 60.0
QUICK = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xms128m", "-Xmx384m", "-Djava.awt.headless=true")
_LOG4J = """Configuration:
  appenders: {Console: {name: out, target: SYSTEM_ERR, PatternLayout: {pattern: "%d %p %m (%c)%n"}}}
  Loggers: {Root: {level: WARN, AppenderRef: {ref: out}}}
"""


class ApacheKafka(Server):
    """`with ApacheKafka(home, folder) as kafka:` a KRaft node at `kafka.bootstrap_servers`; `folder` keeps its log."""

    start_s = 60.0

    def __init__(self, home: Path, folder: Path, log_dir: Path | None = None) -> None:
        """Raises ConfigError where `home` is no Kafka distribution or Java is missing."""
        super().__init__("kafka", log_dir, None)
        if not list((home / "libs").glob("kafka-server-*.jar")):
            raise ConfigError(f"{home}: no Kafka 4 distribution (libs/kafka-server-*.jar is missing)")
        java = shutil.which("java")
        if java is None:
            raise ConfigError("Apache Kafka needs Java 17: apt-get install default-jre-headless")
        self._java = java
        self._home = home
        self._folder = folder
        self._controller_port = free_port()

    @property
    def bootstrap_servers(self) -> str:
        return f"{HOST}:{self.port}"

    def _command(self, port: int) -> list[str]:
        self._folder.mkdir(parents=True, exist_ok=True)
        config, log4j = self._folder / "server.properties", self._folder / "log4j2.yaml"
        log4j.write_text(_LOG4J)
        config.write_text(_properties(port, self._controller_port, self._folder / "data"))
        java = [self._java, "-cp", f"{self._home / 'libs'}/*", *QUICK, f"-Dlog4j2.configurationFile={log4j}"]
        if not (self._folder / "data" / "meta.properties").exists():
            # an id that begins with a dash would be taken for an option
            cluster = "A" + urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]
            format_ = [*java, "kafka.tools.StorageTool", "format", "--cluster-id", cluster, "--config", str(config)]
            subprocess.run(format_, check=True, capture_output=True, timeout=FORMAT_S)  # noqa: S603 - a list, no shell
        return [*java, "kafka.Kafka", str(config)]

    def _answers(self) -> bool:
        return speaks_kafka(self.port)


def _properties(port: int, controller_port: int, data: Path) -> str:
    listeners = f"PLAINTEXT://{HOST}:{port}"
    settings = {
        "node.id": "1",
        "process.roles": "broker,controller",
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "listeners": f"{listeners},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": listeners,
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": str(data),
        "auto.create.topics.enable": "false",
        "offsets.topic.num.partitions": "4",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        "message.max.bytes": "16777216",
        "broker.session.timeout.ms": "4000",
        "broker.heartbeat.interval.ms": "500",
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())
