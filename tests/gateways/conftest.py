"""Gateways under test, and an HTTP server for the one that needs it."""

from contextlib import asynccontextmanager

import pytest
from aiohttp.test_utils import TestServer

from orderapp.engine.batches.batch import Batch
from orderapp.engine.observe.blocked import blocked
from orderapp.gateways.http import HttpGateway
from orderapp.gateways.one_by_one import PLACE
from orderapp.gateways.simulated import SimulatedGateway
from orderapp.models import Order
from orderapp.settings import Faults, PaymentApi
from tests.gateways.double import GatewayDouble
from tests.records import record

TOKEN = "hush/hush"


@pytest.fixture
async def double():
    return GatewayDouble()


@pytest.fixture
async def server(double):
    async with TestServer(double.app()) as running:
        yield running


@asynccontextmanager
async def opened(url, **options):
    """An HTTP gateway for this URL."""
    gateway = HttpGateway(PaymentApi(str(url), TOKEN, **options))
    await gateway.open()
    try:
        yield gateway
    finally:
        await gateway.close()
        blocked.free(PLACE)


@pytest.fixture
async def http(server):
    async with opened(server.make_url("/charges")) as gateway:
        yield gateway


@pytest.fixture
async def hasty(server):
    """One that soon gives a request up."""
    async with opened(server.make_url("/charges"), timeout=0.3) as gateway:
        yield gateway


@pytest.fixture
def simulated():
    return SimulatedGateway(0.01, Faults())


def batch(*orders, timestamp=2**62, headers=()):
    """A batch of orders, each `(id, amount)`; of no age, unless said otherwise."""
    values = [
        Order(order_id=order_id, customer_id=1234, amount=amount, country="DE", created_at="t")
        for order_id, amount in orders
    ]
    records = [
        record(key=b"%d" % order_id, timestamp=timestamp, headers=headers)
        for order_id, _ in orders
    ]
    return Batch("orders", 0, values, records)


class Reports(dict):
    """What is reported: the status of each order's index, and how many were together."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    async def __call__(self, answers):
        assert self.keys().isdisjoint(answers)
        self.sizes.append(len(answers))
        self.update(answers)


@pytest.fixture
def reports():
    return Reports()
