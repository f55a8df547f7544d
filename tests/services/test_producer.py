"""Producer: fake orders and their ids."""

import inspect

import pytest

from orderapp.engine.errors import SendRefusedError
from orderapp.engine.observe.blocked import blocked
from orderapp.models import Order
from orderapp.services import producer
from orderapp.services.producer import OrderIds, make_order


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


def test_ids_rise_and_never_repeat():
    ids = OrderIds()
    many = [ids.next() for _ in range(10_000)]

    assert sorted(set(many)) == many
    assert many[-1] < 2**53


def test_ids_of_a_later_start_are_higher():
    before = OrderIds().next()

    assert OrderIds().next() > before


def test_a_clock_that_is_set_back_repeats_no_id(monkeypatch):
    ids = OrderIds()
    first = ids.next()
    monkeypatch.setattr("time.time_ns", lambda: 0)

    assert ids.next() == first + 1


@pytest.mark.parametrize("ends", ["mended", "handed over"])
async def test_a_worker_whose_orders_are_refused_is_not_ready_until(ends, monkeypatch):
    refused = [SendRefusedError("topic 'orders': raise its max.message.bytes")]

    async def send_one(order):
        if refused:
            raise refused[0]
        return ""

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
