"""`/readyz` and `/healthz`: what is missing, and nothing of the inside."""

from types import SimpleNamespace

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


@pytest.fixture
def starting(monkeypatch, store):
    """A worker that has just begun, its clock, and a limit of 10 s."""
    now = [100.0]
    monkeypatch.setattr(health, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(app, "ready", False)
    monkeypatch.setattr(store, "has_opened", False, raising=False)
    start = health._Start(10.0)
    monkeypatch.setattr(health, "_start", start)
    return now


async def test_a_worker_that_was_never_ready_is_unhealthy_after_a_while(client, starting):
    assert (await ask(client, "/healthz"))[0] == 200

    starting[0] += 10

    reason = "never ready for 10 s: Kafka is not reachable yet, store: does not answer"
    assert await ask(client, "/healthz") == (503, {"status": "stalled", "reason": reason})


async def test_a_worker_is_starting_until_all_was_there_once(
    client, starting, store, kafka, monkeypatch
):
    assert (await ask(client, "/readyz"))[1]["starting"] is True
    monkeypatch.setattr(app, "ready", True)
    assert (await ask(client, "/readyz"))[1]["starting"] is True
    monkeypatch.setattr(store, "has_opened", True)
    monkeypatch.setattr(app, "has_partitions", lambda: True)
    store.fail(StoreUnavailable("away"))
    assert (await ask(client, "/readyz"))[1]["starting"] is False

    monkeypatch.setattr(app, "ready", False)
    assert (await ask(client, "/readyz"))[1]["starting"] is False


async def test_one_that_was_ready_once_stays_healthy_whatever_goes(
    client, starting, store, monkeypatch
):
    monkeypatch.setattr(app, "ready", True)
    monkeypatch.setattr(store, "has_opened", True)
    assert (await ask(client, "/healthz"))[0] == 200
    monkeypatch.setattr(store, "has_opened", False)
    monkeypatch.setattr(app, "ready", False)
    starting[0] += 1000

    assert (await ask(client, "/healthz"))[0] == 200


async def test_one_without_a_limit_waits_for_ever(client, starting, monkeypatch):
    monkeypatch.setattr(health, "_start", health._Start(None))
    starting[0] += 1e6

    assert (await ask(client, "/healthz"))[0] == 200


async def test_a_right_that_lacks_from_the_start_is_a_reason_too(
    client, starting, store, monkeypatch
):
    monkeypatch.setattr(app, "ready", True)
    monkeypatch.setattr(store, "has_opened", True)
    blocked.block("payments", "'payments' may not be written")
    try:
        starting[0] += 11
        status, answer = await ask(client, "/healthz")
    finally:
        blocked.free("payments")

    assert status == 503
    assert answer["reason"] == "never ready for 11 s: 'payments' may not be written"
