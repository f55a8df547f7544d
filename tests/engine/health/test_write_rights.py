"""The right to write is looked for without a record."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from orderapp.engine.health.write_rights import WriteRights, may_write
from orderapp.engine.observe.blocked import blocked


class Client:
    """A Kafka that answers a send with a code, or a question about a topic with an error."""

    def __init__(self, code=87, error=None, late=False):
        self.code, self.error, self.late = code, error, late
        self.sent = []
        self.cluster = SimpleNamespace(leader_for_partition=lambda tp: 1)

    async def _wait_on_metadata(self, topic):
        if self.late:
            await asyncio.Event().wait()
        if self.error:
            raise self.error
        return {2, 1}

    async def send(self, node, request):
        self.sent.append((node, request._topics))
        [(topic, [(partition, _)])] = request._topics
        return SimpleNamespace(topics=[(topic, [(partition, self.code, -1, -1, 0)])])


def watched(client, *topics):
    producer = SimpleNamespace(_producer=SimpleNamespace(client=client))
    return WriteRights(SimpleNamespace(written={*topics}, producer=producer))


@pytest.fixture(autouse=True)
def nothing_stays_blocked():
    yield
    assert blocked.reasons == []


@pytest.mark.parametrize(
    ("client", "answer"),
    [
        (Client(code=87), True),
        (Client(code=29), False),
        (Client(error=TopicAuthorizationFailedError("t")), False),
        (Client(error=UnknownTopicOrPartitionError()), None),
        (Client(error=KafkaConnectionError()), None),
    ],
)
async def test_kafka_says_whether_a_topic_may_be_written_to(client, answer):
    assert await may_write(SimpleNamespace(client=client), "t") is answer
    assert client.sent in ([], [(1, [("t", [(1, b"")])])])


async def test_a_right_that_is_missing_is_one_line_until_it_is_given(caplog):
    client = Client(code=29)
    rights = watched(client, "payments")
    await rights.on_start()
    await rights._look()
    assert ["WRITE on topic 'payments'" in reason for reason in blocked.reasons] == [True]

    client.code = 87
    await rights._look()
    asked = len(client.sent)
    await rights._look()

    assert [r.levelname for r in caplog.records].count("CRITICAL") == 1
    assert len(client.sent) == asked  # what is allowed is not asked again


async def test_a_right_that_is_doubted_is_looked_for_again():
    client = Client()
    rights = watched(client, "payments")
    await rights.on_start()

    client.code = 29
    rights.doubt("orders")
    await rights._look()
    assert len(blocked.reasons) == 1

    client.code = 87
    await rights._look()


async def test_a_kafka_that_does_not_answer_does_not_hold_up_the_start(monkeypatch):
    monkeypatch.setattr("orderapp.engine.health.write_rights.PATIENCE", 0.01)

    await watched(Client(late=True), "payments").on_start()
