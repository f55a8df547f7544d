"""`/readyz`: what is missing, and nothing of the inside."""

import pytest

from orderapp.app import app
from orderapp.engine.observe.blocked import blocked
from orderapp.store import StoreUnavailable
from orderapp.web.api import health
from tests.web.examples import ask


@pytest.mark.parametrize(
    "error", [StoreUnavailable("/inside/orders.sqlite: away"), TimeoutError()]
)
async def test_readiness_names_what_is_missing_and_nothing_of_the_inside(
    client, store, monkeypatch, caplog, error
):
    monkeypatch.setattr(app, "ready", False)
    told = health._Told()
    told.tell(None)
    monkeypatch.setattr(health, "_told", told)
    for _ in range(3):
        store.fail(error)
        status, answer = await ask(client, "/readyz")
        assert status == 503
        assert answer["missing"] == ["Kafka is not reachable yet", "store: does not answer"]
    (line,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert line.endswith(str(error) or "no answer within 1.5 s")

    _, answer = await ask(client, "/readyz")
    assert answer["missing"] == ["Kafka is not reachable yet"]


async def test_what_blocks_the_worker_makes_it_not_ready(client, store, kafka):
    blocked.block("payments", "'payments' may not be written")
    try:
        status, answer = await ask(client, "/readyz")
    finally:
        blocked.free("payments")

    assert status == 503
    assert "'payments' may not be written" in answer["missing"]
