"""What payment relies on, at every gateway."""

import asyncio
import time

import pytest

from orderapp.gateways import Charged, ChargeRefusedError, KeyReusedError
from tests.gateways.conftest import batch


@pytest.fixture(params=["simulated", "http"])
def gateway(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize(
    ("amount", "status"), [(0, "PAID"), (350.25, "PAID"), (10_000.01, "DECLINED")]
)
async def test_a_charge_is_paid_or_declined(gateway, amount, status):
    assert await gateway.charge(7, "pay-7", amount) == status
    assert await gateway.lookup("pay-7") == Charged(status, amount)


@pytest.mark.parametrize("key", ["pay-8", "pay-", "7"])
async def test_what_was_not_charged_is_not_known(gateway, key):
    await gateway.charge(70, "pay-70", 50.0)

    assert await gateway.lookup(key) is None


async def test_a_charge_may_be_repeated(gateway):
    assert [await gateway.charge(7, "pay-7", 50.0) for _ in range(3)] == ["PAID"] * 3


async def test_a_key_takes_one_amount_only(gateway):
    await gateway.charge(7, "pay-7", 50.25)

    with pytest.raises(KeyReusedError, match=r"^pay-7 was charged with 50\.25 before, not 60"):
        await gateway.charge(7, "pay-7", 60.0)

    assert await gateway.lookup("pay-7") == Charged("PAID", 50.25)
    assert await gateway.charge(7, "pay-7", 50.25) == "PAID"


async def test_every_order_of_a_batch_is_charged_and_reported(gateway, reports):
    orders = [(n, 20_000.0 if n == 3 else float(n)) for n in range(250)]

    assert await gateway.charge_all(batch(*orders), reports) == {}

    assert reports == {n: "DECLINED" if n == 3 else "PAID" for n in range(250)}
    assert await gateway.lookup("pay-249") == Charged("PAID", 249.0)


async def test_an_order_that_is_refused_is_the_only_one_that_failed(gateway, reports):
    await gateway.charge(2, "pay-2", 50.0)

    failed = await gateway.charge_all(batch((1, 1.0), (2, 2.0), (3, 3.0)), reports)

    assert reports == {0: "PAID", 2: "PAID"}
    assert {index: type(error) for index, error in failed.items()} == {1: KeyReusedError}
    assert isinstance(failed[1], ChargeRefusedError)
    assert str(failed[1]).startswith("pay-2 was charged with 50 before, not 2")


async def test_waits_of_a_batch_overlap(gateway, double, reports, monkeypatch):
    monkeypatch.setattr(gateway, "delay", 0.3, raising=False)
    double.always = lambda _: asyncio.sleep(0.3)
    began = time.monotonic()

    await gateway.charge_all(batch(*((n, 1.0) for n in range(100))), reports)

    assert 0.3 <= time.monotonic() - began < 20  # one after the other: 30 s
    assert len(reports) == 100


async def test_what_a_report_raises_is_raised(gateway):
    async def report(_):
        raise ConnectionError("Kafka")

    with pytest.raises(ConnectionError, match="Kafka"):
        await gateway.charge_all(batch((1, 1.0), (2, 2.0)), report)


async def test_a_charge_that_is_broken_off_leaves_nothing_behind(
    gateway, double, reports, monkeypatch
):
    monkeypatch.setattr(gateway, "delay", 30, raising=False)
    double.always = lambda _: asyncio.sleep(30)
    charging = asyncio.create_task(gateway.charge_all(batch((1, 1.0)), reports))
    await asyncio.sleep(0.05)
    charging.cancel()
    await asyncio.wait([charging])

    assert charging.cancelled()
    assert reports == {}
