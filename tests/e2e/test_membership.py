"""Groups that can't be joined: one line says which, why, and what to do; the worker ends, or
joins by itself when somebody has mended it."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor

from tests.e2e import records
from tests.e2e.kafka import Kafka
from tests.e2e.worker import eventually


@pytest.fixture(scope="module")
def kafka(tmp_path_factory):
    kafka = Kafka(tmp_path_factory.mktemp("kafka") / "kafka-server")
    kafka.format({"group.min.session.timeout.ms": "10000", "group.max.size": "2"})
    try:
        kafka.start()
        yield kafka
    finally:
        kafka.stop()


def critical(worker):
    return [line for line in worker.log.splitlines() if "CRITICAL" in line]


def ends(worker, *words):
    """The worker ends with status 1, and one critical line with these words."""
    assert worker.wait() == 1
    [line] = critical(worker)
    assert not [word for word in words if word not in line], line
    assert "Traceback" not in worker.log


def test_a_session_timeout_that_the_broker_refuses_ends_the_worker(kafka, start):
    worker = start(KAFKA_BOOTSTRAP_SERVERS=kafka.bootstrap_servers)

    ends(
        worker, "'orderapp'", "6 s", "ORDERAPP_SESSION_TIMEOUT", "group.min.session.timeout.ms"
    )


def member(server, group, topic):
    """A member of another program, which shares the partitions in another way."""
    return AIOKafkaConsumer(
        topic,
        bootstrap_servers=server,
        group_id=group,
        session_timeout_ms=10_000,
        partition_assignment_strategy=[RangePartitionAssignor],
    )


async def test_the_worker_joins_when_the_members_of_another_program_have_left(kafka, start):
    settings = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "ORDERAPP_SESSION_TIMEOUT": "10",
    }
    async with member(kafka.bootstrap_servers, "orderapp", "orders"):
        worker = start(**settings)

        def blocked():
            status, answer = worker.get("/readyz")
            return status == 503 and [m for m in answer["missing"] if "'orderapp'" in m]

        found = await asyncio.to_thread(eventually, blocked, "blocked", 60)
        assert "kafka-consumer-groups" in found[0]
    await asyncio.to_thread(worker.wait_ready)
    assert len(critical(worker)) == 1
    assert "Traceback" not in worker.log
    await asyncio.to_thread(records.send, kafka.bootstrap_servers, [records.order(790_000_001)])
    await asyncio.to_thread(eventually, lambda: worker.paid_order(790_000_001), "it is paid")


def test_of_two_workers_with_one_instance_id_the_first_ends(kafka, start):
    settings = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "ORDERAPP_INSTANCE_ID": "one",
        "ORDERAPP_SERVICES": "fraud",
    }
    first = start(**settings).wait_ready()
    second = start(**settings)

    ends(first, "'fraud-group'", "'one'", "ORDERAPP_INSTANCE_ID")
    second.wait_ready()
    assert critical(second) == []


def test_a_group_that_is_full_is_joined_when_there_is_room(kafka, start):
    settings = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "ORDERAPP_SESSION_TIMEOUT": "10",
        "ORDERAPP_SERVICES": "payment",
    }
    one, two = start(**settings), start(**settings)
    one.wait_ready()
    two.wait_ready()
    three = start(**settings)

    eventually(lambda: "'payment-group': it is full" in three.log, "the third is told", 60)
    assert one.terminate() == 0
    three.wait_ready()
    assert "Traceback" not in three.log
