"""An Apache Kafka node that lets nobody in without TLS and a password."""

from pathlib import Path

from tests.kafka_server import KafkaServer
from tests.security.certificates import Certificate

USER = "andon"
PASSWORD = "br0ker-s3cret"


class GuardedKafka(KafkaServer):
    """One SASL_SSL listener with SCRAM-SHA-512; the controller's stays as it is, on a port of its own."""

    def __init__(self, folder: Path, certificate: Certificate, ca: Path) -> None:
        super().__init__(folder)
        self._certificate = certificate
        self._ca = ca

    def _format_options(self) -> list[str]:
        return ["--add-scram", f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"]

    def _properties(self) -> str:
        cert, key = self._certificate.cert.read_text(), self._certificate.key.read_text()
        guarded = {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.certificate.chain": _one_line(cert),
            "ssl.keystore.key": _one_line(key),
            "ssl.truststore.type": "PEM",  # it connects to itself
            "ssl.truststore.certificates": _one_line(self._ca.read_text()),
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required"
                f' username="{USER}" password="{PASSWORD}";'
            ),
        }
        open_ = super()._properties()
        closed = open_.replace("PLAINTEXT://127.0.0.1", "SASL_SSL://127.0.0.1")
        closed = closed.replace("protocol.map=PLAINTEXT:PLAINTEXT,", "protocol.map=SASL_SSL:SASL_SSL,")
        closed = closed.replace("inter.broker.listener.name=PLAINTEXT", "inter.broker.listener.name=SASL_SSL")
        return closed + "".join(f"{key}={value}\n" for key, value in guarded.items())


def _one_line(pem: str) -> str:
    """As a properties file holds it."""
    return pem.strip().replace("\n", "\\n")
