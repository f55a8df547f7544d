"""Faust's own web application, over a store in memory and without Kafka."""

import pytest
from aiohttp.test_utils import TestClient, TestServer

from orderapp.app import app
from orderapp.web.api import (
    health,
    keyed_orders,
    order_pages,
    orders,
    progress,
    stats,
    topology,
)
from tests.store.fake import MemoryStore
from tests.web.letters import FakeLetters


@pytest.fixture
async def letters(monkeypatch):
    """What is known of dead letters, from Kafka's records: `FakeLetters`."""
    return FakeLetters(monkeypatch)


@pytest.fixture
async def store(monkeypatch, letters):
    memory = MemoryStore()
    await memory.open()
    for module in (orders, order_pages, health, keyed_orders, stats, topology):
        monkeypatch.setattr(module, "store", memory)
    monkeypatch.setattr(app, "resources", [memory])
    stats.shared.forget()
    orders.newest.forget()
    return memory


@pytest.fixture
def kafka(monkeypatch):
    """What Kafka says about the services' progress: None as long as it is away."""

    class Kafka:
        look = None

    async def look():
        return Kafka.look

    monkeypatch.setattr(progress, "look", look)
    monkeypatch.setattr(progress.monitor, "looks", [])
    monkeypatch.setattr(progress, "judged_until", {})
    return Kafka


@pytest.fixture(scope="package")
async def client():
    app.finalize()
    app.web.blueprints.apply(app.web)
    async with TestClient(TestServer(app.web.web_app)) as running:
        yield running
