"""A Kafka as a cloud offers it: SASL_SSL with an API key and secret, its own CA."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization

from tests.e2e.kafka import Kafka


@dataclass(frozen=True)
class SecureKafka:
    """How to reach it; `kafka` can be killed and restarted."""

    bootstrap_servers: str
    ca_file: Path
    api_key: str
    api_secret: str
    kafka: Kafka


@contextmanager
def secure_kafka(
    tmp_path: Path, settings: Mapping[str, str] | None = None
) -> Iterator[SecureKafka]:
    """A running Kafka with SASL_SSL, and with `settings` of the test's own; its certificate
    fits localhost and 127.0.0.1."""
    kafka = Kafka(tmp_path / "secure-kafka-server", secure=True)
    secure = SecureKafka(
        bootstrap_servers=f"localhost:{kafka.listeners['SASL_SSL']}",
        ca_file=tmp_path / "ca.pem",
        api_key="TESTKEY1234",
        api_secret="a-secret/with+signs=",
        kafka=kafka,
    )
    keystore = kafka.directory / "keystore.pem"
    _write_certificates(keystore, secure.ca_file)
    kafka.format(
        {
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.sasl_ssl.plain.sasl.jaas.config": (
                "org.apache.kafka.common.security.plain.PlainLoginModule required "
                f'user_{secure.api_key}="{secure.api_secret}";'
            ),
            "listener.name.sasl_ssl.ssl.keystore.type": "PEM",
            "listener.name.sasl_ssl.ssl.keystore.location": str(keystore),
            **(settings or {}),
        }
    )
    try:
        kafka.start()
        yield secure
    finally:
        kafka.stop()


def _write_certificates(keystore: Path, ca_file: Path) -> None:
    ca = trustme.CA()
    certificate = ca.issue_cert("localhost", "127.0.0.1")
    ca.cert_pem.write_to_path(ca_file)
    # Java reads private keys in PKCS #8 only.
    key = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), None)
    pkcs8 = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    keystore.write_bytes(pkcs8 + b"".join(c.bytes() for c in certificate.cert_chain_pems))
