"""Asks everything of a worker, with the client for Python; see `test_clients.py`."""

import json
import sys

from client import (
    AnalyticsApi,
    ApiClient,
    Configuration,
    EventBatch,
    EventsApi,
    NewOrder,
    OrdersApi,
    ProblemDetails,
    RulesApi,
    StatsApi,
    WorkerApi,
)
from client.exceptions import ApiException

client = ApiClient(Configuration())  # with the server that the description names
orders, worker, events = OrdersApi(client), WorkerApi(client), EventsApi(client)
stored = [int(text) for text in sys.argv[2:]]
key = sys.argv[1]


def told(order):
    return {
        "order_id": order.order_id,
        "amount": order.amount,
        "created_at": round(order.created_at.timestamp() * 1000),
    }


def problem(call):
    try:
        call()
    except ApiException as error:
        details: ProblemDetails = error.data
        fields = [wrong.var_field for wrong in details.errors or ()]
        return {"status": error.status, "told": details.status, "fields": fields}
    raise AssertionError("no error")


def first_batch(stream, order_id):
    for line in stream:
        if line.startswith(b"data: "):
            batch = EventBatch.from_json(line.removeprefix(b"data: ").decode())
            for order in batch.orders:
                if order.order_id == order_id:
                    return told(order)
    raise AssertionError("the stream has ended")


wrong = NewOrder(customer_id=1234, amount=1.005, country="DE")
stream = events.get_api_events_without_preload_content()
new = NewOrder(customer_id=1234, amount=350.07, country="DE")
sent = orders.post_api_orders_with_http_info(new, idempotency_key=key)
again = orders.post_api_orders(new, idempotency_key=key)
page = orders.get_api_orders(limit=1)
details = [orders.get_api_orders_order_id(order_id).order for order_id in stored]
stats = StatsApi(client).get_api_stats()
print(json.dumps({
    "posted": told(sent.data.order),
    "status": sent.status_code,
    "location": sent.headers["Location"],
    "link": sent.data.links.var_self,
    "again": again.order.order_id,
    "event": first_batch(stream, sent.data.order.order_id),
    "stored": [told(order) for order in details],
    "offsets": [order.kafka_offset for order in details],
    "payments": [order.payment.status for order in details],
    "alerts": [len(order.alerts) for order in details],
    "verdicts": [order.fraud.verdict for order in details],
    "steps": [step.at is not None for step in details[0].timeline if step.step == "created"],
    "listed": len(AnalyticsApi(client).get_api_analytics(limit=2).orders),
    "pages": [len(page.orders), len(orders.get_api_orders(limit=1, after=page.next).orders)],
    "counted": stats.orders >= len(stored),
    "services": sorted(stats.services),
    "limits": [
        rule.schemas["limit"]["default"]
        for rule in RulesApi(client).get_api_rules().rules
        if "limit" in rule.schemas
    ],
    "health": [worker.get_healthz().status, worker.get_readyz().status],
    "descriptions": [
        worker.get_openapi_json()["openapi"],
        worker.get_asyncapi_json()["asyncapi"],
    ],
    "texts": [
        worker.get_docs().startswith("<!doctype html>"),
        "orderapp_" in worker.get_metrics(),
    ],
    "problems": [
        problem(lambda: orders.get_api_orders_order_id(9)),
        problem(lambda: orders.post_api_orders(wrong)),
        problem(lambda: orders.get_api_orders(after="x")),
    ],
}))  # fmt: skip
