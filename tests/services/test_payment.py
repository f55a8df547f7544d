"""Payment: what the gateway answers, and what is reported."""

import asyncio
import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from unittest.mock import Mock

import pytest

from orderapp import topics
from orderapp.engine.batches.batch import Batch
from orderapp.engine.batches.topic import outbox
from orderapp.engine.errors import PartlyFailedError, SendFailedError
from orderapp.gateways import simulated
from orderapp.gateways.simulated import SimulatedGateway
from orderapp.models import MOST_TIMED, Order
from orderapp.services import payment
from orderapp.services.payment import pay, payment_id
from orderapp.settings import Faults
from tests.records import record
from tests.ticks import ticking


def order(order_id, amount=50.0):
    return Order(
        order_id=order_id, customer_id=1234, amount=amount, country="DE", created_at="t"
    )


def batch(count, attempt=1):
    records = [record(offset=n) for n in range(count)]
    return Batch("orders", 0, [order(n) for n in range(count)], records, attempt)


charge = payment.payment.function


@pytest.fixture
def sent(monkeypatch):
    """What is sent to the topic payments: the keys of each call."""
    calls = []

    async def send_all(topic, partition, messages, headers, timestamps):
        assert (topic, partition, headers) == ("payments", 0, None)
        calls.append([int(key) for key, _ in messages])

    monkeypatch.setattr(payment.app, "send_all", send_all)
    return calls


@pytest.fixture
def use(monkeypatch):
    """Puts a gateway with these faults in place."""

    def put(delay, **faults):
        monkeypatch.setattr(payment, "gateway", SimulatedGateway(delay, Faults(**faults)))

    return put


@pytest.mark.parametrize(
    ("amount", "status"),
    [(0, "PAID"), (500, "PAID"), (10_000, "PAID"), (10_000.01, "DECLINED")],
)
async def test_the_gateway_declines_above_its_limit(amount, status):
    assert await SimulatedGateway(0, Faults()).charge(1, "pay-1", amount) == status


def test_the_same_order_always_has_the_same_payment_id():
    assert payment_id(7) == payment_id(7) == pay(order(7), "PAID", "now").payment_id
    assert payment_id(7) != payment_id(8)


def test_a_payment_has_the_fields_of_the_contract():
    assert topics.payments.codec.encode(
        pay(order(7), "PAID", "2026-11-23T18:00:00.000000Z", 2)
    ) == (
        b'{"order_id":7,"payment_id":"pay-7","status":"PAID","amount":50.0,'
        b'"paid_at":"2026-11-23T18:00:00.000000Z","attempts":2,"country":"DE",'
        b'"created_at":"t"}'
    )


async def test_a_payment_says_when_each_of_its_attempts_was(use, monkeypatch):
    use(0.0)
    monkeypatch.setattr(payment, "now", lambda: "2026-11-23T18:00:02.250000Z")
    second = datetime(2026, 11, 23, 18, tzinfo=UTC).timestamp()

    def attempt(failures, began):
        return replace(batch(2, len(failures) + 1), failures=failures, began=began)

    found = []
    for one in (
        batch(2),
        attempt(((second, second + 1), (second + 1.5, second + 2)), second + 2.125),
        attempt(tuple((second - n, second - n + 0.5) for n in range(99, 0, -1)), second + 9),
    ):
        token = outbox.set(sent := [])
        await charge(one)
        outbox.reset(token)
        found.append([json.loads(message.value) for message in sent])

    assert all("attempt_times" not in value for value in found[0])
    for value in found[1]:
        assert value["attempts"] == 3
        assert value["attempt_times"] == [
            {"began": "2026-11-23T18:00:00.000000Z", "ended": "2026-11-23T18:00:01.000000Z"},
            {"began": "2026-11-23T18:00:01.500000Z", "ended": "2026-11-23T18:00:02.000000Z"},
            {"began": "2026-11-23T18:00:02.125000Z", "ended": "2026-11-23T18:00:02.250000Z"},
        ]
    # The last ones, and none that ends before it begins, however old the clock's last look is.
    times = found[2][0]["attempt_times"]
    assert len(times) == MOST_TIMED
    assert times[0]["began"] == "2026-11-23T17:59:11.000000Z"
    assert times[-1] == dict.fromkeys(("began", "ended"), "2026-11-23T18:00:02.250000Z")


async def test_the_waits_of_a_batch_overlap(sent, use):
    use(0.05)
    began = time.monotonic()

    _, ticks = await ticking(charge(batch(100)))

    assert sent == [list(range(100))]
    assert time.monotonic() - began >= 0.05
    assert ticks < 200  # one after the other: 5 s


async def test_orders_that_get_no_answer_are_the_only_ones_that_failed(sent, use):
    use(0.001, gateway_timeout=0.5)

    with pytest.raises(PartlyFailedError) as failed:
        await charge(batch(200))

    charged = {key for keys in sent for key in keys}
    assert charged
    assert failed.value.errors
    assert charged | set(failed.value.errors) == set(range(200))
    assert charged.isdisjoint(failed.value.errors)


async def test_slow_answers_hold_up_no_other_order(sent, use, monkeypatch):
    async def sleep(seconds):
        while seconds > 0.05 and not sent:  # noqa: ASYNC110 - 20 times as long
            await asyncio.sleep(0.01)

    monkeypatch.setattr(simulated, "asyncio", Mock(wraps=asyncio, sleep=sleep))
    use(0.05, gateway_slow=0.5)

    await charge(batch(100))

    quick, slow = sent
    assert sorted(quick + slow) == list(range(100))


async def test_a_payment_that_could_not_be_sent_is_not_taken_for_done(monkeypatch, use):
    use(0.0)

    async def send_all(*_):
        raise SendFailedError("no")

    monkeypatch.setattr(payment.app, "send_all", send_all)
    with pytest.raises(SendFailedError):
        await charge(batch(3))


async def test_a_declined_order_is_declined_each_time():
    def gateway():
        return SimulatedGateway(0, Faults(gateway_decline=0.3))

    async def answers(gateway):
        return [await gateway.charge(n, payment_id(n), 50.0) for n in range(1000)]

    same = gateway()
    first = await answers(same)

    assert first == await answers(same)
    assert first == await answers(gateway())  # a restart changes nothing
    assert 200 < first.count("DECLINED") < 400


async def test_an_order_that_was_answered_is_answered_the_same_when_the_rate_has_changed():
    faults = Faults()
    gateway = SimulatedGateway(0, faults)
    assert await gateway.charge(1, "pay-1", 50.0) == "PAID"
    faults.gateway_decline = 1.0
    assert await gateway.charge(2, "pay-2", 50.0) == "DECLINED"

    said = {}

    async def report(answers):
        said.update(answers)

    for rate in (1.0, 0.0):
        faults.gateway_decline = rate
        assert await gateway.charge_all(batch(3), report) == {}
        assert (said[1], said[2]) == ("PAID", "DECLINED")
        assert (await gateway.lookup("pay-1")).status == "PAID"


async def test_a_broken_off_charge_leaves_nothing_behind(sent, use):
    use(30)
    charging = asyncio.create_task(charge(batch(1)))
    await asyncio.sleep(0.01)
    charging.cancel()
    await asyncio.wait([charging])

    assert charging.cancelled()
    assert sent == []
