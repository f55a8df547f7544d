"""A real Kafka for tests: the embedded broker, as a fixture of pytest.

    from orderapp.testing.kafka import kafka_server  # noqa: F401 - in conftest.py

    def test_something(kafka_server):
        producer = AIOKafkaProducer(bootstrap_servers=kafka_server)

It needs the extra `embedded`, starts once for a test run (in about 4 s; the first time it is
downloaded), keeps its data in a temporary directory, and ends with the run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orderapp.engine.embedded.broker import EmbeddedBroker


@contextmanager
def running_kafka(directory: Path) -> Iterator[str]:
    """The `host:port` of a broker that keeps its data in `directory` and ends with this."""
    broker = EmbeddedBroker(directory)
    try:
        yield broker.join()
    finally:
        broker.leave()


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The `host:port` of a real Kafka."""
    with running_kafka(tmp_path_factory.mktemp("kafka")) as address:
        yield address
