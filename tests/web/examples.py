"""Documents, and requests that are held to the API's own description."""

import jsonschema
from aiokafka import TopicPartition
from msgspec.structs import astuple

from orderapp.engine.health.lag import Look, Position
from orderapp.store import (
    AlertDocument,
    DeadLetterDocument,
    OrderDocument,
    PaymentDocument,
    ShadowDocument,
)
from orderapp.web.api import beside
from orderapp.web.api.openapi import document

TIME = "2026-11-23T18:00:01.000000Z"


_COUNTS = {"raised": 3, "already": 1, "new": 2, "gone": 0}
RULE_TEST = {
    **_COUNTS, "rule": "CUSTOMER_VELOCITY", "parameters": {"limit": 3, "seconds": 60},
    "since": None, "until": TIME, "records": 9, "unreadable": 0, "failures": 0, "failure": None,
    "by_country": [{"country": "DE", **_COUNTS}],
    "by_hour": [{"hour": "2026-11-23T18:00Z", **_COUNTS}],
    "examples": [
        {
            "order_id": 7, "customer_id": 1234, "amount": 350.0, "country": "DE",
            "created_at": TIME, "detail": "4 orders in 60 s",
            "link": "http://127.0.0.1:6066/#/orders/7",
        }
    ],
}  # fmt: skip


def run_instead(monkeypatch, code):
    """Processes beside the worker run this, instead of commands."""
    monkeypatch.setattr(beside, "_COMMAND", f"exec({code!r})")


def order(order_id, created_at="2026-11-23T18:00:00.000000Z", **more):
    fields = {"customer_id": 1234, "amount": 350.0, "country": "DE", **more}
    return OrderDocument(
        order_id=order_id,
        kafka_partition=3,
        kafka_offset=order_id,
        created_at=created_at,
        **fields,
    )


def alert(order_id, reason="HIGH_AMOUNT_RISKY_COUNTRY", **more):
    return AlertDocument(
        order_id=order_id,
        kafka_partition=3,
        kafka_offset=1,
        reason=reason,
        amount=350.0,
        country="DE",
        customer_id=1234,
        detected_at=TIME,
        **more,
    )


def shadow(order_id, reason="CUSTOMER_VELOCITY", failed=False, **more):
    return ShadowDocument(*astuple(alert(order_id, reason, **more)), failed=failed)


def payment(order_id, status="PAID", **more):
    return PaymentDocument(
        order_id=order_id,
        kafka_partition=3,
        kafka_offset=2,
        payment_id=f"pay-{order_id}",
        status=status,
        paid_at=TIME,
        **{"amount": 350.0, **more},
    )


def dead_letter(order_id, service):
    return DeadLetterDocument(
        order_id=order_id,
        kafka_partition=3,
        kafka_offset=0,
        service=service,
        error_class="GatewayTimeout",
        error_text="no answer",
        attempts=8,
        original_topic="orders",
        first_failure=TIME,
        last_failure=TIME,
    )


def look(fraud, stored_alerts=0, alerts_end=0, held_back=0, **more):
    """What Kafka says: the fraud service's offset in orders[3], and analytics' in
    fraud-alerts[3], which ends at `alerts_end`, with `held_back` by an open transaction."""
    orders, alerts = TopicPartition("orders", 3), TopicPartition("fraud-alerts", 3)
    at_fraud = Position("fraud-group", {orders: fraud}, 0, None)
    at_analytics = Position("analytics-group", {alerts: stored_alerts}, 2, 1000)
    services = {"fraud": at_fraud, "payment": None, "analytics": at_analytics}
    return Look(services, {alerts: alerts_end}, {alerts: alerts_end + held_back}, **more)


async def ask(client, path, method="GET", route=None, **request):
    """The status and the JSON of an answer, which must be as `/openapi.json` says.

    `route` is the path in the description, if it is not that of the request."""
    answer = await client.request(method, path, **request)
    found = await answer.json()
    described = document()
    operation = described["paths"][route or path.partition("?")[0]][method.lower()]
    content = operation["responses"][str(answer.status)]["content"]
    schema = content[answer.content_type]["schema"]
    jsonschema.validate(
        found,
        {**schema, "components": described["components"]},
        jsonschema.Draft202012Validator,
    )
    return answer.status, found
