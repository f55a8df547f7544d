"""Parameters of the API: a wrong one is named, with what is allowed."""

import pytest
from yarl import URL

from tests.web.examples import ask

ONE = "/api/orders/{order_id}"


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
        ("/api/orders?from=", None, 400, "from"),
        ("/api/orders?from=yesterday", None, 400, "from"),
        ("/api/orders?to=2026-11-23", None, 400, "to"),
        ("/api/orders?to=2026-11-23T18:00:00+01:00", None, 400, "to"),  # + is a blank
        ("/api/orders?customer_id=999", None, 400, "customer_id"),
        ("/api/orders?customer_id=12345", None, 400, "customer_id"),
        ("/api/orders?customer_id=", None, 400, "customer_id"),
        ("/api/orders?trace_id=4BF92F3577B34DA6A3CE929D0E0E4736", None, 400, "trace_id"),
        ("/api/orders?trace_id=4bf9", None, 400, "trace_id"),
        ("/api/orders?trace_id=" + "0" * 32 + "%0A", None, 400, "trace_id"),
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
    ("query", "field", "byte"),
    [
        ("country=%ED%A0%80", "country", "%ED"),
        ("limit=1&country=a%FF", "country", "%FF"),
        ("status=%C3", "status", "%C3"),
        ("%FE=1", "\ufffd", "%FE"),
    ],
)
async def test_bytes_that_are_no_text_are_named_and_not_replaced(
    client, store, query, field, byte
):
    url = URL(f"/api/orders?{query}", encoded=True)
    answer = await (await client.get(url)).json()

    assert answer["errors"] == [{"field": field, "detail": f"{byte} is not UTF-8"}]
    assert answer["detail"] == f"{field!a}: {byte} is not UTF-8"
