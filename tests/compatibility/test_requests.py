"""Clients generated from the last release's description work with this one."""

import copy

import pytest

from orderapp.web.api.openapi import document
from tests.compatibility.requests import breaks


def test_the_description_is_compatible_with_itself():
    assert breaks(document(), document()) == []


POST, ORDERS = "/api/orders", ("/api/orders", "get")


def operation(found, path=POST, method="post"):
    return found["paths"][path][method]


def schema(found, name):
    return found["components"]["schemas"][name]


def field(found, name, of):
    return schema(found, of)["properties"][name]


BREAKS = {
    "GET /docs: removed": lambda d: d["paths"].pop("/docs"),
    "POST /api/orders: removed": lambda d: d["paths"][POST].pop("post"),
    "POST /api/orders: operationId": lambda d: operation(d).update(operationId="send"),
    "POST /api/orders: tags": lambda d: operation(d).update(tags=["sales"]),
    "POST /api/orders: needs a token": lambda d: operation(d).update(security=[{"token": []}]),
    "GET /api/stats: needs a token": lambda d: operation(d, "/api/stats", "get").update(
        security=[{"token": []}]
    ),
    "the parameter limit is removed": lambda d: operation(d, *ORDERS)["parameters"].pop(0),
    "the parameter limit is required": lambda d: operation(d, *ORDERS)["parameters"][0].update(
        required=True
    ),
    "the parameter limit has the maximum 50": lambda d: operation(d, *ORDERS)["parameters"][0][
        "schema"
    ].update(maximum=50),
    "the parameter status has fewer values": lambda d: operation(d, *ORDERS)["parameters"][3][
        "schema"
    ]["enum"].remove("paid"),
    "the parameter Shop is new and required": lambda d: operation(d)["parameters"].append(
        {"name": "Shop", "in": "header", "required": True, "schema": {"type": "string"}}
    ),
    "the parameter order_id has the format int32": lambda d: operation(
        d, "/api/orders/{order_id}", "get"
    )["parameters"][0]["schema"].update(format="int32"),
    "the body is removed": lambda d: operation(d).pop("requestBody"),
    "the body.shop is required": lambda d: schema(d, "NewOrder")["required"].append("shop"),
    "the body.country is removed": lambda d: schema(d, "NewOrder")["properties"].pop("country"),
    "the body.amount has the type integer": lambda d: field(d, "amount", "NewOrder").update(
        type="integer"
    ),
    "the body.country has the maxLength 2": lambda d: field(d, "country", "NewOrder").update(
        maxLength=2
    ),
    "202 is removed": lambda d: operation(d)["responses"].pop("202"),
    "200 is new": lambda d: operation(d)["responses"].update(
        {"200": operation(d)["responses"]["202"]}
    ),
    "202: the header Location is removed": lambda d: operation(d)["responses"]["202"].pop(
        "headers"
    ),
    "application/json is removed": lambda d: operation(d)["responses"]["202"].update(
        content={"text/plain": {"schema": {"type": "string"}}}
    ),
    "the event gap is removed": lambda d: operation(d, "/api/events", "get")["responses"][
        "200"
    ]["content"]["text/event-stream"]["x-events"].pop("gap"),
    "batch.skipped is removed": lambda d: schema(d, "EventBatch")["properties"].pop("skipped"),
    "202.order.amount is removed": lambda d: schema(d, "SentOrder")["properties"].pop("amount"),
    "202.order.amount may be missing": lambda d: schema(d, "SentOrder")["required"].remove(
        "amount"
    ),
    "200.orders: each.order_id has the format int32": lambda d: field(
        d, "order_id", "ListedOrder"
    ).update(format="int32"),
    "200.orders: each.order_status has more values": lambda d: field(
        d, "order_status", "ListedOrder"
    )["enum"].append("refunded"),
    "200.orders: each.payment.status has more values": lambda d: field(
        d, "status", "ListedPayment"
    ).pop("enum"),
    "200.orders: each.created_at may be null": lambda d: schema(d, "ListedOrder")[
        "properties"
    ].update(
        created_at={"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}
    ),
    "400.title is removed": lambda d: schema(d, "ProblemDetails")["properties"].pop("title"),
}


@pytest.mark.parametrize("told", BREAKS)
def test_what_breaks_clients_is_found(told):
    changed = copy.deepcopy(document())
    BREAKS[told](changed)

    found = breaks(document(), changed)

    assert any(told in line for line in found), found


COMPATIBLE = {
    "an operation": lambda d: d["paths"].update({"/api/more": d["paths"]["/api/stats"]}),
    "a parameter": lambda d: operation(d)["parameters"].append(
        {"name": "Shop", "in": "header", "required": False, "schema": {"type": "string"}}
    ),
    "a field of the body": lambda d: schema(d, "NewOrder")["properties"].update(
        shop={"type": "string"}
    ),
    "a field of an answer": lambda d: schema(d, "SentOrder")["properties"].update(
        shop={"type": "string"}
    ),
    "a wider limit": lambda d: field(d, "country", "NewOrder").update(maxLength=80),
    "no limit": lambda d: field(d, "country", "NewOrder").pop("maxLength"),
    "a value that may be sent": lambda d: operation(d, *ORDERS)["parameters"][3]["schema"][
        "enum"
    ].append("refunded"),
    "a value that is not answered": lambda d: field(d, "order_status", "ListedOrder")[
        "enum"
    ].remove("stored"),
    "always there": lambda d: schema(d, "ProblemDetails")["required"].append("errors"),
    "never null": lambda d: schema(d, "Page")["properties"].update(next={"type": "string"}),
    "a status of errors": lambda d: operation(d)["responses"].update({"429": {}}),
    "other texts": lambda d: operation(d).update(summary="Send it."),
    "no token": lambda d: operation(d).update(security=[]),
}


@pytest.mark.parametrize("change", COMPATIBLE)
def test_what_breaks_nobody_passes(change):
    changed = copy.deepcopy(document())
    COMPATIBLE[change](changed)

    assert changed != document()
    assert breaks(document(), changed) == []
