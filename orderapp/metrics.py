"""What is counted of orders. The engine counts batches and records (`engine.observe.metrics`).

Deliveries are at least once, and what is done again counts again: these are rates to watch.
Sums that have to be right come from the store (`/api/stats`).
"""

import platform
from collections import defaultdict
from collections.abc import Sequence
from importlib.metadata import version
from itertools import chain

from prometheus_client import Info

from orderapp.engine.observe.metrics import REGISTRY, counter, gauge, histogram
from orderapp.models import Payment
from orderapp.settings import Settings

VERDICTS = counter("orderapp_fraud_verdicts", "Orders judged: alert or clear.", ("verdict",))
#: Of a rule: which one, and its state (active or shadow) when it was asked.
_OF_RULE = ("rule", "version", "state")
RULE_ORDERS = counter("orderapp_rule_orders", "Orders that a rule was asked about.", _OF_RULE)
RULE_HITS = counter("orderapp_rule_hits", "Orders that a rule found.", _OF_RULE)
RULE_FAILURES = counter(
    "orderapp_rule_failures", "Orders that a rule could not judge.", _OF_RULE
)
RULE_SECONDS = counter("orderapp_rule_seconds", "Seconds that a rule took.", _OF_RULE)
PAYMENTS = counter("orderapp_payments", "Payments reported: PAID or DECLINED.", ("status",))
REVENUE = counter("orderapp_revenue", "Sum of the amounts of PAID payments.")
CLOCKS_AHEAD = counter(
    "orderapp_clocks_ahead",
    "Orders read whose created_at was more than a day ahead, and was replaced.",
)
GATEWAY = counter(
    "orderapp_gateway_requests",
    "Requests to the payment gateway, by what came of them.",
    ("result",),
)
STORE = histogram(
    "orderapp_store_seconds",
    "Seconds that a call of the store took: ok, unavailable, rejected or cancelled.",
    ("operation", "result"),
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
STORE_DOCUMENTS = histogram(
    "orderapp_store_documents",
    "Documents that were written at one time: in a transaction (SQLite), or side by side.",
    buckets=(1, 5, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000),
)
HTTP_REQUESTS = counter(
    "orderapp_http_requests",
    "Requests answered, by the route (not the path).",
    ("method", "route", "status"),
)
HTTP_SECONDS = histogram(
    "orderapp_http_request_seconds",
    "Seconds until a request was answered; streams of events are left out.",
    ("method", "route"),
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
EVENT_STREAMS = gauge("orderapp_event_streams", "Streams of live events that are open.")

# Looked up once; the series are there, at 0, from the beginning.
_alert, _clear = VERDICTS.labels("alert"), VERDICTS.labels("clear")
_asked = {
    result: GATEWAY.labels(result)
    for result in ("answered", "timeout", "unavailable", "unreadable", "refused", "blocked")
}
_paid, _declined = PAYMENTS.labels("PAID"), PAYMENTS.labels("DECLINED")


def judged(found: int, orders: int) -> None:
    """So many orders were judged, and so many of them found by a rule."""
    _alert.inc(found)
    _clear.inc(orders - found)


def of_rules() -> dict[tuple[str, ...], list[float]]:
    """What was counted by rule, version and state: orders, hits, failures and seconds."""
    found = defaultdict[tuple[str, ...], list[float]](list)
    for counted in (RULE_ORDERS, RULE_HITS, RULE_FAILURES, RULE_SECONDS):
        for sample in chain.from_iterable(metric.samples for metric in counted.collect()):
            if sample.name.endswith("_total"):
                found[tuple(sample.labels[name] for name in _OF_RULE)].append(sample.value)
    return found


def charged(payments: Sequence[Payment], orders: int) -> None:
    """These payments are sent."""
    amounts = [payment.amount for payment in payments if payment.status == "PAID"]
    _paid.inc(len(amounts))
    _declined.inc(len(payments) - len(amounts))
    REVENUE.inc(sum(amounts))


def asked(result: str, requests: int = 1) -> None:
    """So many requests to the gateway came to this (see `gateways.GatewayError.result`)."""
    _asked[result].inc(requests)


def describe(settings: Settings) -> None:
    """Say which version this worker is, and what it runs."""
    Info("orderapp_build", "The version that runs.", registry=REGISTRY).info(
        {"version": version("orderapp"), "python": platform.python_version()}
    )
    Info("orderapp_worker", "What this worker runs.", registry=REGISTRY).info(
        {"group": settings.group, "services": ",".join(sorted(settings.services))}
    )
