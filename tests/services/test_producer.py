"""Producer: fake orders."""

import inspect
import logging
from dataclasses import replace

import pytest

from orderapp.engine.errors import SendFailedError, SendRefusedError
from orderapp.engine.observe.blocked import blocked
from orderapp.engine.observe.logs import Few
from orderapp.models import Order
from orderapp.order_ids import OrderIds
from orderapp.services import producer
from orderapp.services.producer import make_order
from orderapp.settings import Faults


def test_generated_orders_are_those_of_the_contract():
    orders = [make_order(n) for n in range(500)]

    assert all(isinstance(order, Order) for order in orders)
    assert {order.country for order in orders} == {"US", "CA", "DE", "IN", "GB"}
    assert all(1000 <= order.customer_id <= 9999 for order in orders)
    assert all(10 <= order.amount <= 500 for order in orders)
    assert all(order.amount == round(order.amount, 2) for order in orders)
    assert min(order.amount for order in orders) < 50
    assert max(order.amount for order in orders) > 450
    assert all(len(order.created_at) == 27 for order in orders)


async def test_an_attack_is_several_small_orders_of_the_same_customer(monkeypatch):
    sent = []

    async def send_one(order):
        sent.append(order)
        return ""

    async def number(topic):
        return 7

    broken = replace(producer.settings, faults=Faults(attack=1.0))
    monkeypatch.setattr(producer, "settings", broken)
    monkeypatch.setattr(producer.app, "unique_number", number)
    monkeypatch.setattr(producer.topics.orders, "send_one", send_one)
    await inspect.unwrap(producer.produce)()

    assert len({order.order_id for order in sent}) == len(sent) == 1 + producer.TRIES
    assert len({(order.customer_id, order.country) for order in sent}) == 1
    assert all(1 <= order.amount <= producer.SMALL for order in sent[1:])


@pytest.mark.parametrize("ends", ["mended", "handed over"])
async def test_a_worker_whose_orders_are_refused_is_not_ready_until(ends, monkeypatch):
    refused = [SendRefusedError("topic 'orders': raise its max.message.bytes")]

    async def send_one(order):
        if refused:
            raise refused[0]
        return ""

    async def number(topic):
        return 7

    monkeypatch.setattr(producer.app, "unique_number", number)
    monkeypatch.setattr(producer.topics.orders, "send_one", send_one)
    produce = inspect.unwrap(producer.produce)
    await produce()
    assert blocked.reasons == [f"no order is generated: {refused[0]}"]

    if ends == "mended":
        refused.clear()
        await produce()
    else:
        await producer.app.on_partitions_revoked.send(set())

    assert blocked.reasons == []


async def test_a_worker_that_gets_no_id_generates_nothing_and_tries_again(monkeypatch, caplog):
    away = [SendFailedError("Kafka is away")]
    sent = []

    async def number(topic):
        if away:
            raise away.pop()
        return 8

    async def send_one(order):
        sent.append(order)
        return ""

    monkeypatch.setattr(producer, "few_unsent", Few(producer.logger, logging.WARNING))
    monkeypatch.setattr(producer, "order_ids", OrderIds(lambda: producer.app.unique_number("")))
    monkeypatch.setattr(producer.app, "unique_number", number)
    monkeypatch.setattr(producer.topics.orders, "send_one", send_one)
    produce = inspect.unwrap(producer.produce)
    await produce()
    assert (sent, "Kafka is away" in caplog.text) == ([], True)

    await produce()
    assert len(sent) == 1
