"""A private Apache Kafka node, run from the jars of any Kafka 4 distribution on this machine."""

import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

from andon.errors import ConfigError, FatalError
from deploy.local.rotating_log import last_words
from deploy.local.server import HOST, Server, free_ports, speaks_kafka

FORMAT_S = 60.0
QUICK = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xms128m", "-Xmx384m", "-Djava.awt.headless=true")
_LOG4J = """Configuration:
  appenders: {Console: {name: out, target: SYSTEM_ERR, PatternLayout: {pattern: "%d %p %m (%c)%n"}}}
  Loggers: {Root: {level: WARN, AppenderRef: {ref: out}}}
"""


class ApacheKafka(Server):
    """`with ApacheKafka(home, folder) as kafka:` a KRaft node at `kafka.bootstrap_servers`; `folder` keeps its log.

    A subclass may change its configuration (`_settings`) and the options of its formatting (`_format_options`).
    """

    start_s = 60.0

    def __init__(self, home: Path, folder: Path, log_dir: Path | None = None, port: int | None = None) -> None:
        """Raises ConfigError if `home` is no Kafka distribution or Java is missing."""
        super().__init__("kafka", log_dir, port)
        if reason := missing(home):
            raise ConfigError(reason)
        self._home = home
        self._folder = folder
        self._controller_port = 0
        self._cluster_id = new_cluster_id()

    @property
    def bootstrap_servers(self) -> str:
        return f"{HOST}:{self.port}"

    def _choose_ports(self, preferred: int) -> None:
        super()._choose_ports(preferred)
        # two listeners can't share one port
        self._controller_port = next(port for port in free_ports(2) if port != self.port)

    def _command(self, port: int) -> list[str]:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "log4j2.yaml").write_text(_LOG4J)
        config = self._folder / "server.properties"
        config.write_text("".join(f"{key}={value}\n" for key, value in self._settings(port).items()))
        if not (self._folder / "data" / "meta.properties").exists():
            self._format(config)
        return self._java("kafka.Kafka", str(config))

    def _format(self, config: Path) -> None:
        tool = ["kafka.tools.StorageTool", "format", "--cluster-id", self._cluster_id, "--config", str(config)]
        log = self._folder / "format.log"
        with log.open("ab") as output:
            done = subprocess.run(  # noqa: S603 - a list, no shell
                self._java(*tool, *self._format_options()),
                check=False,
                stdout=output,
                stderr=output,
                timeout=FORMAT_S,
            )
        if done.returncode:
            raise FatalError(f"Kafka can't format {self._folder}: {last_words(log)} (its log: {log})")

    def _format_options(self) -> list[str]:
        """More options for the formatting of the folder, for servers that need them (accounts)."""
        return []

    def _java(self, *arguments: str) -> list[str]:
        """The command that runs one of Kafka's classes with its arguments."""
        log4j = f"-Dlog4j2.configurationFile={self._folder / 'log4j2.yaml'}"
        return [str(shutil.which("java")), "-cp", f"{self._home / 'libs'}/*", *QUICK, log4j, *arguments]

    def _answers(self) -> bool:
        return speaks_kafka(self.port)

    def _settings(self, port: int) -> dict[str, str]:
        """server.properties, where Kafka's defaults don't fit."""
        listeners = f"PLAINTEXT://{HOST}:{port}"
        return {
            "node.id": "1",
            "process.roles": "broker,controller",
            "controller.quorum.voters": f"1@{HOST}:{self._controller_port}",
            "listeners": f"{listeners},CONTROLLER://{HOST}:{self._controller_port}",
            "advertised.listeners": listeners,
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self._folder / "data"),
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


def missing(home: Path) -> str | None:
    """What this machine lacks to run a node of the distribution at `home`; None: nothing."""
    if not any((home / "libs").glob("kafka-server-*.jar")):
        return f"{home}: no Kafka 4 distribution (libs/kafka-server-*.jar is missing)"
    return None if shutil.which("java") else "Apache Kafka needs Java 17: apt-get install default-jre-headless"


def new_cluster_id() -> str:
    """22 letters. The first is never a dash, which Kafka's tool would take for an option."""
    return "A" + urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]
