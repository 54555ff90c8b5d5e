"""An Apache Kafka node that requires TLS and a password."""

import subprocess
from pathlib import Path

from deploy.local.server import HOST, answers
from tests.kafka_server import READY_S, KafkaServer
from tests.security.certificates import Certificate

USER = "andon"
PASSWORD = "br0ker-s3cret"
OTHERS = {
    "line": "l1ne-s3cret",
    "guest": "gu3st-s3cret",
    "press-ingest": "ingest-s3cret",
    "press-workers": "w0rkers-s3cret",
    "press-sinks": "s1nks-s3cret",
}
"""These users have only the rights that `allow` gives them."""


class GuardedKafka(KafkaServer):
    """One SASL_SSL listener with SCRAM-SHA-512. The controller's listener stays plain, on its own port."""

    def __init__(self, folder: Path, certificate: Certificate, ca: Path) -> None:
        super().__init__(folder)
        self._certificate = certificate
        self._ca = ca

    def _format_options(self) -> list[str]:
        users = {USER: PASSWORD, **OTHERS}
        options = [f"SCRAM-SHA-512=[name={name},password={password}]" for name, password in users.items()]
        return [part for option in options for part in ("--add-scram", option)]

    def allow(self, user: str, kind: str, prefix: str, *operations: str) -> None:
        """Give `user` the rights on each topic or group (`kind`) whose name begins with `prefix`."""
        self._change_rights("--add", user, kind, prefix, *operations)

    def revoke(self, user: str, kind: str, prefix: str, *operations: str) -> None:
        """Take back what `allow` gave."""
        self._change_rights("--remove", user, kind, prefix, *operations)

    def _change_rights(self, change: str, user: str, kind: str, prefix: str, *operations: str) -> None:
        admin = self._folder / "admin.properties"
        admin.write_text(
            "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\n"
            f"sasl.jaas.config={_jaas()}\nssl.truststore.type=PEM\nssl.truststore.location={self._ca}\n"
        )
        allowed = [part for operation in operations for part in ("--operation", operation)]
        subprocess.run(
            [
                *self._java("org.apache.kafka.tools.AclCommand", "--bootstrap-server", self.bootstrap_servers),
                *("--command-config", str(admin), change, "--allow-principal", f"User:{user}", *allowed),
                *(f"--{kind}", prefix, "--resource-pattern-type", "prefixed"),
                *(["--force"] if change == "--remove" else []),
            ],
            check=True,
            capture_output=True,
            timeout=READY_S,
        )

    def _answers(self) -> bool:
        return answers(self.port)  # without TLS it answers nothing

    def _settings(self, port: int) -> dict[str, str]:
        cert, key = self._certificate.cert.read_text(), self._certificate.key.read_text()
        listener = f"SASL_SSL://{HOST}:{port}"
        return super()._settings(port) | {
            "listeners": f"{listener},CONTROLLER://{HOST}:{self._controller_port}",
            "advertised.listeners": listener,
            "listener.security.protocol.map": "SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "SASL_SSL",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.certificate.chain": _one_line(cert),
            "ssl.keystore.key": _one_line(key),
            "ssl.truststore.type": "PEM",  # it connects to itself
            "ssl.truststore.certificates": _one_line(self._ca.read_text()),
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": _jaas(),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:{USER};User:ANONYMOUS",  # the controller's own listener has no passwords
        }


def _jaas() -> str:
    module = "org.apache.kafka.common.security.scram.ScramLoginModule"
    return f'{module} required username="{USER}" password="{PASSWORD}";'


def _one_line(pem: str) -> str:
    """`pem` as a value of a properties file."""
    return pem.strip().replace("\n", "\\n")
