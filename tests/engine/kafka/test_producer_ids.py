"""Numbers from Kafka, its brokers' part played by a list of answers."""

from types import SimpleNamespace

import pytest
from aiokafka.errors import ClusterAuthorizationFailedError, KafkaError, NodeNotReadyError

from orderapp.engine.kafka import producer_ids
from orderapp.engine.kafka.producer_ids import new_producer_id

LOADING, FORBIDDEN, UNKNOWN = 14, 31, -1


class Client:
    """Brokers by their ids: each with its answers, an error's code or a number above."""

    def __init__(self, brokers):
        self.brokers, self.asked = brokers, []
        self.cluster = SimpleNamespace(
            brokers=lambda: [SimpleNamespace(nodeId=node) for node in brokers]
        )

    async def send(self, node, request):
        self.asked.append(node)
        answer = self.brokers[node].pop(0)
        if isinstance(answer, Exception):
            raise answer
        code = answer if answer in (LOADING, FORBIDDEN, UNKNOWN) else 0
        return SimpleNamespace(error_code=code, producer_id=answer)


async def test_all_ask_the_same_broker():
    client = Client({3: [300], 1: [100, 101], 2: [200]})

    assert [await new_producer_id(client), await new_producer_id(client)] == [100, 101]


async def test_a_broker_that_has_no_numbers_yet_is_asked_again():
    client = Client({1: [LOADING, LOADING, 100], 2: [200]})

    assert await new_producer_id(client) == 100
    assert client.asked == [1, 1, 1]


@pytest.mark.parametrize("answers", [[NodeNotReadyError()], [OSError()], [UNKNOWN]])
async def test_a_broker_that_does_not_answer_is_passed_by(answers):
    assert await new_producer_id(Client({1: answers, 2: [200]})) == 200


async def test_a_broker_that_never_has_numbers_is_passed_by(monkeypatch):
    monkeypatch.setattr(producer_ids, "PATIENCE", 0.05)

    assert await new_producer_id(Client({1: [LOADING] * 1000, 2: [200]})) == 200


@pytest.mark.parametrize("brokers", [{}, {1: [OSError()]}, {1: [NodeNotReadyError()]}])
async def test_without_any_broker_it_is_an_error_of_kafka(brokers):
    with pytest.raises(KafkaError):
        await new_producer_id(Client(brokers))


async def test_a_missing_right_is_told_and_no_other_broker_is_asked():
    client = Client({1: [FORBIDDEN], 2: [200]})

    with pytest.raises(ClusterAuthorizationFailedError):
        await new_producer_id(client)
    assert client.asked == [1]
