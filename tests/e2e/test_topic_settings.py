"""Topics that are there already, with settings that break a promise: a warning for each."""

import asyncio
import logging

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from orderapp.app import app
from orderapp.engine.kafka.cluster import Cluster
from orderapp.topics import PARTITIONS
from tests.e2e.rights import AUTHORIZER, Rights
from tests.e2e.secure_kafka import secure_kafka

BROKEN = {
    "orders": {"cleanup.policy": "compact,delete", "max.message.bytes": "20000"},
    "payments": {"min.insync.replicas": "2"},
    "orders-dlq": {"retention.ms": "3600000", "max.message.bytes": "2097152"},
    "orders-dlq-resolved": {"cleanup.policy": "delete"},
}


async def make(server):
    admin = AIOKafkaAdminClient(bootstrap_servers=server)
    await admin.start()
    try:
        wanted = [NewTopic(n, PARTITIONS, 1, topic_configs=c) for n, c in BROKEN.items()]
        await admin.create_topics(wanted)
    finally:
        await admin.close()


def test_each_setting_that_breaks_a_promise_is_told_with_its_cure(
    tmp_path, caplog, monkeypatch
):
    caplog.set_level(logging.INFO)
    with secure_kafka(tmp_path, AUTHORIZER) as kafka:
        server = kafka.kafka.bootstrap_servers
        asyncio.run(make(server))
        asyncio.run(Cluster((server,)).prepare(app.topic_specs, "orderapp"))
        lines = [r.getMessage() for r in caplog.records if "kafka-configs" in r.getMessage()]
        cures = {line.rpartition(f"--bootstrap-server {server} --alter ")[2] for line in lines}
        assert cures == {
            "--topic orders --add-config cleanup.policy=delete",
            "--topic orders --add-config max.message.bytes=1000000",
            "--topic payments --add-config min.insync.replicas=1",
            "--topic orders-dlq --add-config retention.ms=-1",
            "--topic orders-dlq --add-config retention.bytes=-1",  # the broker's default
            "--topic orders-dlq-resolved --add-config cleanup.policy=compact",
        }
        assert len(lines) == len(cures)

        # Who may not ask for settings is told so in one line, and nothing else happens.
        caplog.clear()
        Rights(kafka).give_all()
        monkeypatch.setenv("SSL_CERT_FILE", str(kafka.ca_file))
        ours = Cluster((kafka.bootstrap_servers,), kafka.api_key, kafka.api_secret)
        asyncio.run(ours.prepare(app.topic_specs, "orderapp"))
        said = [r.getMessage() for r in caplog.records if "settings" in r.getMessage()]
        assert len(said) == 1
        assert "orders-dlq-resolved" in said[0]
