"""The API's reads and what holds for every request."""

import asyncio
from datetime import UTC, datetime

import pytest
from yarl import URL

from orderapp.app import app
from orderapp.engine.observe.blocked import blocked
from orderapp.metrics import HTTP_REQUESTS
from orderapp.models import format_time
from orderapp.store import StoreRejected, StoreUnavailable
from orderapp.web.api import health, progress
from orderapp.web.page import files
from tests.web.examples import alert, ask, dead_letter, look, order, payment

ONE = "/api/orders/{order_id}"


async def test_no_orders_are_an_empty_list(client, store):
    assert await ask(client, "/api/analytics") == (200, {"status": "ok", "orders": []})


async def test_the_last_10_orders_come_newest_first(client, store):
    await store.upsert([order(n, f"2026-11-23T18:00:{n:02}.000000Z") for n in range(30)])

    _, answer = await ask(client, "/api/analytics")
    assert [order["order_id"] for order in answer["orders"]] == list(range(29, 19, -1))
    _, answer = await ask(client, "/api/analytics?limit=25")
    assert len(answer["orders"]) == 25


@pytest.mark.parametrize(
    ("documents", "status"),
    [
        ([], "stored"),
        ([alert(7)], "stored"),
        ([payment(7)], "paid"),
        ([payment(7, "DECLINED")], "declined"),
        ([dead_letter(7, "fraud")], "stored"),
        ([dead_letter(7, "fraud,payment")], "dead_letter"),
    ],
)
async def test_a_listed_order_comes_with_all_that_was_found(client, store, documents, status):
    await store.upsert([order(7), *documents])

    _, answer = await ask(client, "/api/analytics")

    (listed,) = answer["orders"]
    assert listed["order_status"] == status
    assert (listed["type"], listed["kafka_partition"], listed["kafka_offset"]) == (
        "order",
        3,
        7,
    )
    assert len(listed["alerts"]) == sum("alert" in document.id for document in documents)
    assert (listed["payment"] is not None) == any("payment::" in d.id for d in documents)
    assert (listed["dead_letter"] is not None) == any("dead" in d.id for d in documents)


async def test_pages_give_every_order_once_also_when_new_ones_come_between(client, store):
    await store.upsert([order(n, country="DE" if n % 2 else "US") for n in range(25)])
    seen, path = [], "/api/orders?limit=5&country=DE"

    _, answer = await ask(client, path)
    while answer["next"]:
        seen += [order["order_id"] for order in answer["orders"]]
        await store.upsert([order(100 + len(seen))])
        _, answer = await ask(client, f"{path}&after={answer['next']}")
    seen += [order["order_id"] for order in answer["orders"]]

    assert seen == list(range(23, 0, -2))


@pytest.mark.parametrize(
    ("status", "ids"),
    [("stored", [1]), ("paid", [3, 2]), ("declined", []), ("alert", [3]), ("dead_letter", [4])],
)
async def test_orders_can_be_listed_by_their_status(client, store, status, ids):
    await store.upsert([order(n) for n in range(1, 5)])
    await store.upsert([payment(2), payment(3), alert(3), dead_letter(4, "payment")])

    _, answer = await ask(client, f"/api/orders?status={status}")

    assert [order["order_id"] for order in answer["orders"]] == ids


async def test_an_order_tells_its_whole_story(client, store, kafka):
    accepted = datetime(2026, 11, 23, 18, 0, 0, 5000, UTC)
    stamp = int(accepted.timestamp() * 1000)
    stored = order(7, kafka_timestamp=stamp, stored_at="2026-11-23T18:00:00.500000Z")
    await store.upsert([stored, alert(7), payment(7, attempts=3)])

    _, answer = await ask(client, "/api/orders/7", route=ONE)

    story = answer["order"]
    assert story["fraud"] == {"verdict": "ALERT", "reason": "HIGH_AMOUNT_RISKY_COUNTRY"}
    assert [step["step"] for step in story["timeline"]] == [
        "created",
        "accepted",
        "stored",
        "judged",
        "paid",
    ]
    assert story["timeline"][1] == {
        "step": "accepted",
        "at": format_time(accepted),
        "detail": "by Kafka, as orders[3]@7",
    }
    assert story["timeline"][-1]["detail"] == "pay-7, 3 attempts"


@pytest.mark.parametrize(
    ("said", "documents", "verdict"),
    [
        (None, [], "UNKNOWN"),
        (None, [alert(7)], "ALERT"),
        (look(fraud=7), [], "PENDING"),
        (look(fraud=8), [], "CLEAR"),
        (look(fraud=8), [dead_letter(7, "fraud")], "UNKNOWN"),
        (look(fraud=8), [dead_letter(7, "fraud"), dead_letter(7, "payment")], "UNKNOWN"),
        (look(fraud=8), [dead_letter(7, "payment")], "CLEAR"),
        # Its alert may be among those that analytics has not stored yet.
        (look(fraud=8, stored_alerts=4, alerts_end=5), [], "PENDING"),
        # It may lie behind a transaction that is open.
        (look(fraud=8, stored_alerts=4, alerts_end=4, held_back=2), [], "PENDING"),
    ],
)
async def test_the_verdict_is_clear_only_when_no_alert_can_come(
    client, store, kafka, said, documents, verdict
):
    await store.upsert([order(7), *documents])
    kafka.look = said

    _, answer = await ask(client, "/api/orders/7", route=ONE)

    assert answer["order"]["fraud"]["verdict"] == verdict
    steps = [step["step"] for step in answer["order"]["timeline"]]
    assert ("judged" in steps) == (verdict in {"ALERT", "CLEAR"})


async def test_what_was_clear_once_stays_clear_without_kafka(client, store, kafka):
    await store.upsert([order(7), order(9)])
    kafka.look = look(fraud=8)
    await ask(client, "/api/orders/7", route=ONE)
    kafka.look = None

    answers = [(await ask(client, f"/api/orders/{n}", route=ONE))[1] for n in (7, 9)]

    assert [a["order"]["fraud"]["verdict"] for a in answers] == ["CLEAR", "UNKNOWN"]


async def test_a_kafka_that_hangs_keeps_no_order_from_its_reader(client, store, monkeypatch):
    async def hang():
        await asyncio.sleep(60)

    monkeypatch.setattr(progress.monitor, "look", hang)
    monkeypatch.setattr(progress, "_judged", {})
    await store.upsert([order(7)])

    (status, answer), (of_stats, stats) = await asyncio.gather(
        ask(client, "/api/orders/7", route=ONE), ask(client, "/api/stats")
    )

    assert (status, answer["order"]["fraud"]["verdict"]) == (200, "UNKNOWN")
    assert (of_stats, stats["services"]) == (200, None)


async def test_alerts_that_came_later_do_not_keep_a_verdict_open(
    client, store, kafka, monkeypatch
):
    await store.upsert([order(7)])
    kafka.look = look(fraud=20, stored_alerts=5, alerts_end=9)
    before = look(fraud=8, stored_alerts=3, alerts_end=5)
    monkeypatch.setattr("orderapp.web.api.progress.monitor.looks", [before, kafka.look])

    _, answer = await ask(client, "/api/orders/7", route=ONE)

    assert answer["order"]["fraud"]["verdict"] == "CLEAR"


@pytest.mark.parametrize(
    ("path", "route", "status", "field"),
    [
        ("/api/orders/8", ONE, 404, None),
        ("/api/orders/9007199254740992", ONE, 400, "order_id"),
        ("/api/orders/" + "9" * 5000, ONE, 400, "order_id"),
        ("/api/orders/-1", ONE, 400, "order_id"),
        ("/api/orders/abc", ONE, 400, "order_id"),
        ("/api/orders/%D9%A1", ONE, 400, "order_id"),  # a digit, but not an ASCII one
        ("/api/orders/7?full=1", ONE, 400, "full"),
        ("/api/analytics?limit=0", None, 400, "limit"),
        ("/api/analytics?limit=101", None, 400, "limit"),
        ("/api/analytics?limit=ten", None, 400, "limit"),
        ("/api/analytics?limit=", None, 400, "limit"),
        ("/api/analytics?limit=1&limit=2", None, 400, "limit"),
        ("/api/analytics?Limit=1", None, 400, "Limit"),
        ("/api/orders?status=lost", None, 400, "status"),
        ("/api/orders?country=", None, 400, "country"),
        ("/api/orders?country=" + "x" * 65, None, 400, "country"),
        ("/api/orders?after=", None, 400, "after"),
        ("/api/orders?after=%C3%A9", None, 400, "after"),
        ("/api/orders?after=WyJ4Iiwi", None, 400, "after"),
        ("/api/stats?x=1", None, 400, "x"),
        ("/api/events?x=1", None, 400, "x"),
        ("/healthz?x=1", None, 400, "x"),
        ("/readyz?x=1", None, 400, "x"),
        ("/metrics?x=1", None, 400, "x"),
    ],
)
async def test_errors_name_the_field_and_what_is_allowed(
    client, store, path, route, status, field
):
    got, answer = await ask(client, path, route=route)

    assert (got, answer["status"]) == (status, status)
    assert [error["field"] for error in answer.get("errors", ())] == ([field] if field else [])
    assert all(error["detail"] for error in answer.get("errors", ()))


@pytest.mark.parametrize(
    "path",
    [
        "/table/", "/router/", "/api", "/static", "/static/", "/static/none.js",
        "/static/vendor", "/static/vendor/", "/static/../views.py", "/static/%2e%2e/views.py",
        "/static/%2E%2E%2Fviews.py", "/static//dashboard.js", "/static/" + "a" * 3000,
        "/static/%00", "/static/vendor/../dashboard.js/",
    ],
)  # fmt: skip
async def test_what_is_not_there_is_404_and_counted_so(client, store, path):
    before = counted("404")
    answer = await client.get(URL(path, encoded=True))

    assert answer.status == 404
    assert answer.content_type == "application/problem+json"
    assert (await answer.json())["title"] == "Not Found"
    assert counted("404") == before + 1


def counted(status):
    samples = [sample for family in HTTP_REQUESTS.collect() for sample in family.samples]
    totals = [s for s in samples if s.name.endswith("_total") and s.labels["status"] == status]
    return sum(sample.value for sample in totals)


@pytest.mark.parametrize("path", ["/", "/static/dashboard.js", "/static/vendor/uplot/LICENSE"])
async def test_a_file_is_sent_again_only_when_it_is_another_one(client, path):
    first = await client.get(path, headers={"Range": "bytes=9999999-", "If-Match": '"x"'})
    body, etag = await first.read(), first.headers["ETag"]
    file = files.STATIC / (path.removeprefix("/static/").strip("/") or "index.html")
    assert (first.status, body) == (200, file.read_bytes())
    head = await client.head(path)
    assert (head.status, head.headers["Content-Length"]) == (200, str(len(body)))
    assert (head.headers["ETag"], await head.read()) == (etag, b"")

    before = counted("304")
    for known in (etag, f'"other", W/{etag}', "*"):
        again = await client.get(path, headers={"If-None-Match": known})
        assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", etag)
        assert again.headers["Cache-Control"] == "no-cache"
    assert counted("304") == before + 3
    for other in ('"other"', "nonsense", '"', ""):
        assert (await client.get(path, headers={"If-None-Match": other})).status == 200


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


async def test_a_store_that_hangs_is_503_in_time(client, store, monkeypatch):
    async def hang(*_args):
        await asyncio.sleep(60)

    for name in ("latest", "story", "page", "stats"):
        monkeypatch.setattr(store, name, hang)
    paths = ("/api/analytics", "/api/orders/7", "/api/orders", "/api/stats")
    began = asyncio.get_running_loop().time()
    answers = await asyncio.gather(*(client.get(path) for path in paths))
    assert [answer.status for answer in answers] == [503] * 4
    assert asyncio.get_running_loop().time() - began < 2.5
    assert (await client.get("/healthz")).status == 200


async def test_a_bug_shows_nothing_of_the_inside(client, store, monkeypatch, caplog):
    async def broken(_limit):
        raise ZeroDivisionError("secret inside")

    monkeypatch.setattr(store, "latest", broken)

    status, answer = await ask(client, "/api/analytics")

    assert status == 500
    assert "secret" not in str(answer)
    assert "secret inside" in caplog.text


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


async def test_what_blocks_the_worker_makes_it_not_ready(client, store, kafka):
    blocked.block("payments", "'payments' may not be written")
    try:
        status, answer = await ask(client, "/readyz")
    finally:
        blocked.free("payments")

    assert status == 503
    assert "'payments' may not be written" in answer["missing"]
