"""What holds for every request: errors are problems, and answers carry security headers."""

import asyncio

import pytest

from orderapp.store import StoreRejected, StoreUnavailable
from tests.ticks import ticking
from tests.web.examples import ask

ONE = "/api/orders/{order_id}"


async def test_a_method_that_is_not_there_is_405(client, store):
    answer = await client.delete("/api/orders")

    assert answer.status == 405
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(","))
    assert (await answer.json())["status"] == 405


@pytest.mark.parametrize("error", [StoreUnavailable, StoreRejected])
async def test_a_store_that_does_not_work_is_503_and_stays_unnamed(
    client, store, error, caplog
):
    for path in ("/api/analytics", "/api/orders", "/api/orders/7", "/api/stats"):
        store.fail(error("couchbase://inside.example: away"))
        status, answer = await ask(client, path, route=ONE if path.endswith("7") else None)
        assert status == 503
        assert "inside" not in str(answer)
        assert "inside.example" in caplog.text
        caplog.clear()


async def test_what_a_store_waits_for_is_told_as_far_as_it_is_public(client, store):
    store.fail(StoreUnavailable("couchbase://inside: index i waits", public="index i waits"))
    status, answer = await ask(client, "/api/analytics")

    assert (status, answer["detail"]) == (503, "index i waits; try again")


async def test_a_store_that_hangs_is_503_in_time(client, store, monkeypatch):
    async def hang(*_args):
        await asyncio.sleep(60)

    for name in ("latest", "story", "page", "stats"):
        monkeypatch.setattr(store, name, hang)
    paths = ("/api/analytics", "/api/orders/7", "/api/orders", "/api/stats")
    answers, ticks = await ticking(asyncio.gather(*(client.get(path) for path in paths)))
    assert [answer.status for answer in answers] == [503] * 4
    assert ticks < 250
    assert (await client.get("/healthz")).status == 200


async def test_a_bug_shows_nothing_of_the_inside(client, store, monkeypatch, caplog):
    async def broken(_limit):
        raise ZeroDivisionError("secret inside")

    monkeypatch.setattr(store, "latest", broken)

    status, answer = await ask(client, "/api/analytics")

    assert status == 500
    assert "secret" not in str(answer)
    assert "secret inside" in caplog.text


async def test_the_log_says_that_a_view_got_no_answer_in_time(
    client, store, monkeypatch, caplog
):
    store.fail(TimeoutError())

    await ask(client, "/api/orders/7", route=ONE)

    assert "GET /api/orders/7: no answer in time" in caplog.messages


async def test_answers_carry_the_headers_that_protect_them(client, store):
    for path, kind, cached in (
        ("/", "text/html", "no-cache"),
        ("/static/dashboard.js", "javascript", "no-cache"),
        ("/static/dashboard.css", "text/css", "no-cache"),
        ("/docs", "text/html", "no-store"),
        ("/api/analytics", "application/json", "no-store"),
        ("/api/analytics?limit=0", "application/problem+json", "no-store"),
    ):
        answer = await client.get(path)
        assert kind in answer.headers["Content-Type"]
        assert answer.headers["Cache-Control"] == cached
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "camera=()" in answer.headers["Permissions-Policy"]
