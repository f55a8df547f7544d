"""Analytics: keeps every order, alert, payment and dead letter as a document."""

from collections.abc import Iterable
from itertools import repeat

from aiokafka import ConsumerRecord

from orderapp import topics
from orderapp.app import app, store
from orderapp.documents import (
    alert_document,
    dead_letter_document,
    order_document,
    payment_document,
    shadow_document,
)
from orderapp.engine import Batch, TransientError
from orderapp.models import FraudAlert, Order, Payment, now
from orderapp.store import Document, StoreError


@app.batches(topics.orders)
async def analytics(orders: Batch[Order]) -> None:
    """Keep each order."""
    await keep(map(order_document, orders.values, orders.records, repeat(now())))


@app.batches(topics.fraud_alerts)
async def analytics_alerts(alerts: Batch[FraudAlert]) -> None:
    """Keep each fraud alert."""
    await keep(map(alert_document, alerts.values, alerts.records))


@app.batches(topics.shadow_alerts)
async def analytics_shadow(alerts: Batch[FraudAlert]) -> None:
    """Keep what rules in the shadow have found."""
    await keep(map(shadow_document, alerts.values, alerts.records))


@app.batches(topics.payments)
async def analytics_payments(payments: Batch[Payment]) -> None:
    """Keep each payment."""
    await keep(map(payment_document, payments.values, payments.records))


@app.batches(topics.dead_letters)
async def analytics_dead_letters(letters: Batch[ConsumerRecord]) -> None:
    """Keep each dead letter of which it is known to what order it belongs."""
    await keep(filter(None, map(dead_letter_document, letters)))


async def keep(documents: Iterable[Document]) -> None:
    """Upsert documents in one call."""
    try:
        await store.upsert([*documents])
    except StoreError as error:
        # Also when the store refuses: an order is never given up for the store's sake.
        raise TransientError(str(error)) from error
