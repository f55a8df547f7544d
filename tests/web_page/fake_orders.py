"""Orders as the API shows them, for the fake worker."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]

FIRST_ID = 1_764_000_000_000_000
STATUSES = ("stored", "paid", "declined", "alert", "dead_letter")
#: What a worker has counted of a rule.
RULE = {
    "rule": "HIGH_AMOUNT_RISKY_COUNTRY", "version": 1, "state": "active",
    "orders": 1, "raised": 1, "failed": 0, "seconds": 0.1,
}  # fmt: skip
DAY = "2026-11-23T18"
#: What only an order's story has.
_WHOLE = {"shadow", "trace_url"}


def moment(number: int, ms: int = 0) -> str:
    """A time on one evening; later for a greater number, up to 3,599."""
    return f"{DAY}:{number // 60:02d}:{number % 60:02d}.{ms:03d}000Z"


def make_order(number: int, **changes: Any) -> Json:
    """A safe, unpaid order; `number` makes its id, its time and its place in Kafka."""
    order = {
        "type": "order",
        "order_id": FIRST_ID + number,
        "kafka_partition": number % 6,
        "kafka_offset": number,
        "customer_id": 1234,
        "amount": 99.5,
        "country": "US",
        "created_at": moment(number),
        "kafka_timestamp": 1_795_458_572_562,
        "stored_at": moment(number, 12),
        "trace_id": "",
        "alerts": [],
        "shadow": [],
        "payment": None,
        "dead_letter": None,
    }
    return order | changes


def alert_of(order: Json, reason: str = "HIGH_AMOUNT_RISKY_COUNTRY") -> Json:
    """The alert that fraud sends for an order."""
    names = ("order_id", "amount", "country", "customer_id", "created_at")
    found = {name: order[name] for name in names}
    found |= {"reason": reason, "detected_at": order["created_at"]}
    return {**found, "rule_version": 1, "detail": ""}


def payment_of(order: Json, status: str = "PAID", attempts: int = 1) -> Json:
    """The payment that payment sends for an order."""
    names = ("order_id", "amount", "country", "created_at")
    return {
        **{name: order[name] for name in names},
        "payment_id": f"pay-{order['order_id']}",
        "status": status,
        "paid_at": order["created_at"].replace(".000", ".104"),
        "attempts": attempts,
    }


def stored(found: Json, kind: str) -> Json:
    """An alert or a payment as the store keeps it."""
    place = {"kafka_partition": 0, "kafka_offset": 0, "kafka_timestamp": 0}
    return {**found, **place, "type": kind}


def letter_of(order_id: int, text: str) -> Json:
    """What is kept of an order that payment gave up."""
    return {
        "type": "dead-letter",
        "order_id": order_id,
        "service": "payment",
        "error_class": "GatewayTimeout",
        "error_text": text,
        "attempts": 5,
        "original_topic": "orders",
        "first_failure": moment(2990),
        "last_failure": moment(3000),
    }


def status_of(order: Json) -> str:
    """`stored`, `paid`, `declined` or `dead_letter`."""
    if order["payment"]:
        return str(order["payment"]["status"]).lower()
    letter = order["dead_letter"]
    return "dead_letter" if letter and "payment" in letter["open_for"] else "stored"


def listed(order: Json) -> Json:
    """An order as lists have it."""
    found = {name: value for name, value in order.items() if name not in _WHOLE}
    if order["payment"]:
        found["payment"] = {**order["payment"]}
        found["payment"].pop("attempt_times", None)
    return {**found, "order_status": status_of(order)}


def story_of(order: Json, fraud: Json | None = None) -> Json:
    """An order with its verdict (`fraud`, if it is not what follows from the order) and its
    timeline."""
    alerts, payment, letter = order["alerts"], order["payment"], order["dead_letter"]
    verdict, reason = ("ALERT", alerts[0]["reason"]) if alerts else ("PENDING", None)
    if not alerts and (payment or letter):
        verdict = "CLEAR"
    place = f"orders[{order['kafka_partition']}]@{order['kafka_offset']}"
    steps: list[tuple[str, str | None, str]] = [
        ("created", order["created_at"], f"by customer {order['customer_id']}"),
        ("accepted", order["created_at"], f"by Kafka, as {place}"),
    ]
    if fraud and "could not judge" in fraud["reason"]:
        steps.append(("judged", None, f"by fraud: {fraud['reason']}"))
    if fraud is None and verdict != "PENDING":
        at = alerts[0]["detected_at"] if alerts else None
        steps.append(("judged", at, f"by fraud: {reason or 'clear'}"))
    steps.append(("stored", order["stored_at"], "by analytics"))
    if payment:
        detail = f"{payment['payment_id']}, {payment['attempts']} attempts"
        steps.append((payment["status"].lower(), payment["paid_at"], detail))
    if letter:
        text = f"by {letter['service']}: {letter['error_class']}: {letter['error_text']}"
        steps.append(("dead_letter", letter["last_failure"], text))
    timeline = [
        {"step": step, "at": at, "detail": text, "shadow": False} for step, at, text in steps
    ]
    for one in order["shadow"]:
        text = f"in the shadow, no alert: {one['reason']} (version 2): {one['detail']}"
        at = one["detected_at"]
        timeline.append({"step": "judged", "at": at, "detail": text, "shadow": True})
    return {
        **order,
        "payment": payment and {"attempt_times": [], **payment},
        "order_status": status_of(order),
        "fraud": fraud or {"verdict": verdict, "reason": reason},
        "timeline": timeline,
        "trace_url": order.get("trace_url"),
    }


def country_stats(orders: Iterable[Json]) -> list[Json]:
    """Counts and revenue by country, most orders first."""
    found: dict[str, Json] = {}
    for order in orders:
        zero = {"orders": 0, "alerts": 0, "paid": 0, "declined": 0, "revenue": 0.0}
        one = found.setdefault(order["country"], {"country": order["country"], **zero})
        one["orders"] += 1
        one["alerts"] += bool(order["alerts"])
        if (status := status_of(order)) in {"paid", "declined"}:
            one[status] += 1
            one["revenue"] += order["amount"] if status == "paid" else 0
    return sorted(found.values(), key=lambda one: -one["orders"])


def stats_of(orders: Iterable[Json], services: Json | None, counted_before: float = 0) -> Json:
    """The figures over all orders; they all came a minute ago."""
    orders = list(orders)
    countries = country_stats(orders)
    total = {
        name: sum(one[name] for one in countries)
        for name in ("orders", "alerts", "paid", "declined", "revenue")
    }
    start = int(time.time()) // 10 * 10 - 60
    activity = {"start": start, "orders": total["orders"], "alerts": total["alerts"]}
    return {
        "status": "ok",
        **total,
        "fraud_rate": total["alerts"] / total["orders"] if orders else 0.0,
        "countries": countries,
        "other_countries": None,
        "orders_per_second": {"1m": 0.5, "5m": 0.5, "15m": 0.25},
        "activity": [activity] if orders else [],
        "services": services,
        "open_transactions": {} if services is not None else None,
        "dead_letter_orders": None,
        "faults": {},
        "rules": [RULE],
        "dead_letters": None
        if services is None
        else sum(1 for order in orders if order["dead_letter"]),
        "at": (datetime.now(UTC) - timedelta(seconds=counted_before)).isoformat(),
    }
