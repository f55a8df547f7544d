"""The embedded broker: a real Apache Kafka for one machine, shared by all who use its data.

`broker.py` is what a worker holds, `launcher.py` what holds Kafka, `server.py` what Kafka is
told and `jars.py` where it comes from.
"""

from orderapp.engine.embedded.broker import EmbeddedBroker
from orderapp.engine.embedded.errors import EmbeddedBrokerError

__all__ = ["EmbeddedBroker", "EmbeddedBrokerError"]
