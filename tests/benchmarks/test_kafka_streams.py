"""Kafka Streams among the contenders: it is compiled and works, or says what is missing."""

import importlib
import json

import pytest

from orderapp.engine.embedded.jars import FetchError, read_lock
from tests import jars
from tests.benchmarks import checks
from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.contenders.kafka_streams import JARS
from tests.benchmarks.orders import Workload
from tests.benchmarks.throughput import Limits, measure, warm

STREAMS = CONTENDERS["kafka-streams"]
#: How fast it is on a loaded machine is no matter here.
LIMITS = Limits(total=150, standstill=60)


async def sent(kafka, topic):
    return {record.key: json.loads(record.value) async for record in kafka.read(topic)}


async def test_it_sends_and_stores_what_the_others_do(monkeypatch):
    try:
        jars.fetched(JARS)
    except jars.MissingJarError as error:
        pytest.skip(str(error))
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    others = importlib.import_module("tests.benchmarks.contenders.common")
    work = Workload(0)

    # The topology without a store is a part of this one.
    async with warm(STREAMS, "sqlite", work.warm_up, LIMITS) as setting:
        assert setting.processes.terminate(30) is None
        problems = await checks.problems(setting.kafka, setting.store, work, STREAMS)
        payments = await sent(setting.kafka, "payments")
        alerts = await sent(setting.kafka, "fraud-alerts")

    assert problems == []
    orders = [json.loads(message.value) for message in work.warm_up]
    for order in orders:
        paid = payments.pop(b"%d" % order["order_id"])
        assert paid == others.payment_for(order, paid["paid_at"])
        assert len(paid["paid_at"]) == len(others.now())
    for order in filter(others.is_risky, orders):
        alert = alerts.pop(b"%d" % order["order_id"])
        assert alert == others.alert_for(order, alert["detected_at"])
    assert not payments
    assert not alerts


async def test_a_jar_that_cannot_be_had_is_its_result(monkeypatch, tmp_path):
    def unreachable(coordinates, directory):
        raise FetchError("a long text") from ConnectionError("another one")

    monkeypatch.setenv("M2_REPO", str(tmp_path))
    monkeypatch.setattr(jars, "fetch", unreachable)

    result = await measure(STREAMS, "none", Workload(0))

    assert result.problem == f"{JARS[0].coordinates} cannot be fetched (ConnectionError)"


def test_it_is_of_the_kafka_that_is_brought_along():
    def version(jars, name):
        (found,) = (jar.coordinates for jar in jars if f":{name}:" in jar.coordinates)
        return found.rpartition(":")[2]

    assert version(JARS, "kafka-streams") == version(read_lock(), "kafka-clients")
