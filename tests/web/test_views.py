"""The views, on Faust's own web application, over a store in memory."""

import asyncio

import pytest
from aiohttp.test_utils import TestClient, TestServer

from orderapp.app import app
from orderapp.store import (
    AlertDocument,
    OrderDocument,
    PaymentDocument,
    StoreRejected,
    StoreUnavailable,
)
from orderapp.web import health, views
from tests.store.fake import MemoryStore


def order(order_id, created_at="2026-11-23T18:00:00.000000Z", **more):
    fields = {"customer_id": 1234, "amount": 350.0, "country": "DE", **more}
    return OrderDocument(
        order_id=order_id,
        kafka_partition=3,
        kafka_offset=order_id,
        created_at=created_at,
        **fields,
    )


ALERT = AlertDocument(
    order_id=7,
    kafka_partition=3,
    kafka_offset=1,
    reason="HIGH_AMOUNT_RISKY_COUNTRY",
    amount=350.0,
    country="DE",
    customer_id=1234,
    detected_at="2026-11-23T18:00:01.000000Z",
)
PAYMENT = PaymentDocument(
    order_id=7,
    kafka_partition=3,
    kafka_offset=2,
    payment_id="pay-7",
    status="PAID",
    amount=350.0,
    paid_at="2026-11-23T18:00:01.000000Z",
)


@pytest.fixture
async def store(monkeypatch):
    memory = MemoryStore()
    await memory.open()
    for module in (views, health):
        monkeypatch.setattr(module, "store", memory)
    monkeypatch.setattr(app, "resources", [memory])
    return memory


@pytest.fixture(scope="module")
async def client():
    app.finalize()
    app.web.blueprints.apply(app.web)
    async with TestClient(TestServer(app.web.web_app)) as running:
        yield running


async def get(client, path):
    answer = await client.get(path)
    return answer.status, await answer.json()


async def test_no_orders_are_an_empty_list(client, store):
    assert await get(client, "/api/analytics") == (200, {"status": "ok", "orders": []})


async def test_the_last_10_orders_come_newest_first(client, store):
    await store.upsert([order(n, f"2026-11-23T18:00:{n:02}.000000Z") for n in range(30)])

    _, answer = await get(client, "/api/analytics")
    assert [order["order_id"] for order in answer["orders"]] == list(range(29, 19, -1))
    _, answer = await get(client, "/api/analytics?limit=25")
    assert len(answer["orders"]) == 25


async def test_an_order_comes_with_its_alerts_and_its_payment(client, store):
    await store.upsert([order(7), ALERT, PAYMENT])

    status, answer = await get(client, "/api/orders/7")

    assert (status, answer["status"]) == (200, "ok")
    story = answer["order"]
    assert story["type"] == "order"
    assert (story["kafka_partition"], story["kafka_offset"]) == (3, 7)
    assert [alert["reason"] for alert in story["alerts"]] == ["HIGH_AMOUNT_RISKY_COUNTRY"]
    assert story["payment"]["payment_id"] == "pay-7"


async def test_an_order_that_is_not_judged_yet_says_so(client, store):
    await store.upsert([order(7)])

    _, answer = await get(client, "/api/orders/7")

    assert (answer["order"]["alerts"], answer["order"]["payment"]) == ([], None)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/orders/8", 404),
        ("/api/orders/9007199254740992", 400),
        ("/api/orders/" + "9" * 5000, 400),
        ("/api/orders/-1", 400),
        ("/api/orders/abc", 400),
        ("/api/orders/%D9%A1", 400),  # a digit, but not an ASCII one
        ("/api/analytics?limit=0", 400),
        ("/api/analytics?limit=101", 400),
        ("/api/analytics?limit=ten", 400),
        ("/api/analytics?limit=", 400),
        ("/table/", 404),
        ("/router/", 404),
        ("/api", 404),
        ("/static/../views.py", 404),
    ],
)
async def test_errors_are_json_with_a_status_that_fits(client, store, path, status):
    got, answer = await get(client, path)

    assert (got, answer["status"]) == (status, "error")
    assert answer["error"]


async def test_a_method_that_is_not_there_is_405(client, store):
    answer = await client.delete("/api/analytics")

    assert answer.status == 405
    assert "GET" in answer.headers["Allow"]
    assert (await answer.json())["status"] == "error"


@pytest.mark.parametrize("error", [StoreUnavailable("away"), StoreRejected("never")])
async def test_a_store_that_does_not_work_is_503(client, store, error):
    for path in ("/api/analytics", "/api/orders/7"):
        store.fail(error)
        assert await get(client, path) == (503, {"status": "error", "error": str(error)})


async def test_a_store_that_hangs_is_503_in_time(client, store, monkeypatch):
    async def hang(*_args):
        await asyncio.sleep(60)

    for name in ("latest", "story", "ping"):
        monkeypatch.setattr(store, name, hang)
    monkeypatch.setattr(app, "ready", True)
    began = asyncio.get_running_loop().time()
    for path in ("/api/analytics", "/api/orders/7", "/readyz"):
        assert (await get(client, path))[0] == 503
    assert asyncio.get_running_loop().time() - began < 3 * 2
    assert await get(client, "/healthz") == (200, {"status": "ok"})


async def test_a_bug_shows_nothing_of_the_inside(client, store, monkeypatch, caplog):
    async def broken(_limit):
        raise ZeroDivisionError("secret inside")

    monkeypatch.setattr(store, "latest", broken)

    status, answer = await get(client, "/api/analytics")

    assert status == 500
    assert "secret" not in str(answer)
    assert "secret inside" in caplog.text


async def test_readiness_names_what_is_missing(client, store, monkeypatch):
    monkeypatch.setattr(app, "ready", False)
    store.fail(StoreUnavailable("away"))
    assert await get(client, "/readyz") == (
        503,
        {
            "status": "unavailable",
            "missing": ["Kafka is not reachable yet", "store: away"],
        },
    )

    monkeypatch.setattr(app, "ready", True)
    assert (await get(client, "/readyz"))[1]["missing"] == ["no partitions are assigned"]

    monkeypatch.setattr(app, "has_partitions", lambda: True)
    assert await get(client, "/readyz") == (200, {"status": "ok"})


async def test_the_page_and_its_files_are_served_with_a_strict_policy(client, store):
    for path, kind in (
        ("/", "text/html"),
        ("/static/dashboard.js", "javascript"),
        ("/static/dashboard.css", "text/css"),
    ):
        answer = await client.get(path)
        assert answer.status == 200
        assert kind in answer.headers["Content-Type"]
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
