"""Every consumer of the package reads what was committed."""

import ast
import asyncio
from pathlib import Path

import pytest

import orderapp
from orderapp.engine.kafka.cluster import METADATA_MAX_AGE_MS, Cluster
from tests.engine.kafka.test_transport import make_app

PACKAGE = Path(orderapp.__file__).parent


def made(name):
    """Where the package calls something of this name, as `file: function`."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(name):
                        yield f"{path.relative_to(PACKAGE)}: {function.name}"


def test_consumers_are_made_in_one_place():
    assert [*made("AIOKafkaConsumer")] == ["engine/kafka/cluster.py: consumer"]
    assert len([*made("cluster.consumer")]) >= 4


async def test_that_place_makes_them_read_what_was_committed():
    consumer = Cluster(("127.0.0.1:1",)).consumer(auto_offset_reset="earliest")
    try:
        assert consumer._isolation_level == "read_committed"
        assert consumer._client._metadata_max_age_ms == METADATA_MAX_AGE_MS
    finally:
        await consumer.stop()


@pytest.mark.parametrize("client_only", [False, True])
async def test_so_does_the_consumer_of_a_worker(client_only):
    app = make_app(fetch_wait=0.25)
    app.client_only = client_only

    consumer = app.consumer._thread._create_consumer(loop=asyncio.get_running_loop())
    try:
        assert consumer._isolation_level == "read_committed"
        assert consumer._fetch_max_wait_ms == 250
    finally:
        await consumer.stop()


def test_a_partition_ends_for_the_worker_where_an_open_transaction_begins():
    consumer = make_app().consumer

    class Reader:
        def last_stable_offset(self, _tp):
            return 5

        def highwater(self, _tp):
            return 9

    consumer._thread._consumer = Reader()
    assert consumer.highwater(("readings", 0)) == 5


def test_a_worker_sees_new_topics_and_partitions_soon():
    conf = orderapp.app.conf

    # Twice this, with the watch's look, stays below half a minute.
    assert METADATA_MAX_AGE_MS <= 12_000
    assert conf.consumer_metadata_max_age_ms == METADATA_MAX_AGE_MS
    assert conf.producer_metadata_max_age_ms == METADATA_MAX_AGE_MS
    assert orderapp.app.transport.fetch_wait < 1
