"""An Apache Kafka node for tests, from any Kafka distribution that ANDON_KAFKA_HOME names (only its `libs` is used)."""

import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path
from types import TracebackType
from typing import Self

READY_S = 60.0
_LOG4J = """Configuration:
  appenders: {Console: {name: out, target: SYSTEM_ERR, PatternLayout: {pattern: "%d %p %m (%c)%n"}}}
  Loggers: {Root: {level: WARN, AppenderRef: {ref: out}}}
"""


def missing() -> str | None:
    """What a test needs and this machine lacks, or None."""
    home = os.environ.get("ANDON_KAFKA_HOME")
    if not home:
        return "set ANDON_KAFKA_HOME to a Kafka distribution (4.x) to run this on Apache Kafka"
    if not any(Path(home, "libs").glob("kafka-server-*.jar")):
        return f"ANDON_KAFKA_HOME={home}: no libs/kafka-server-*.jar there"
    return None if shutil.which("java") else "Apache Kafka needs Java 17 or newer: apt-get install default-jre-headless"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class KafkaServer:
    """One KRaft node on loopback; its folder is kept, so that it can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port, self._controller_port = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        config = self._folder / "server.properties"
        if not config.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            config.write_text(self._properties())
            (self._folder / "log4j2.yaml").write_text(_LOG4J)
            cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            format_ = ["kafka.tools.StorageTool", "format", "--cluster-id", cluster, "--config", str(config)]
            subprocess.run(self._java("-Xmx128m", *format_), check=True, capture_output=True, timeout=READY_S)
        log = (self._folder / "kafka.log").open("ab")
        self._process = subprocess.Popen(
            self._java("-Xms128m", "-Xmx384m", "kafka.Kafka", str(config)), stdout=log, stderr=log
        )
        log.close()
        self._wait_until_it_listens()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _java(self, *arguments: str) -> list[str]:
        libs = Path(os.environ["ANDON_KAFKA_HOME"], "libs")
        log4j = f"-Dlog4j2.configurationFile={self._folder / 'log4j2.yaml'}"
        quick = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true", log4j]
        return ["java", "-cp", f"{libs}/*", *quick, *arguments]

    def _wait_until_it_listens(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"Kafka ended at once: {(self._folder / 'kafka.log').read_text()[-2000:]}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            time.sleep(0.1)
        raise RuntimeError(f"Kafka was not ready within {READY_S:.0f} s")

    def _properties(self) -> str:
        settings = {
            "node.id": "1",
            "process.roles": "broker,controller",
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller_port}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self._port},CONTROLLER://127.0.0.1:{self._controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self._port}",
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
            "group.min.session.timeout.ms": "1000",
            "message.max.bytes": "16777216",
            "broker.session.timeout.ms": "4000",
            "broker.heartbeat.interval.ms": "500",
            "num.network.threads": "2",
            "num.io.threads": "4",
        }
        return "".join(f"{key}={value}\n" for key, value in settings.items())
