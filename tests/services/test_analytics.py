"""Analytics: what is kept of each message."""

import pytest

from orderapp.engine.batching import Batch
from orderapp.engine.errors import TransientError
from orderapp.engine.twins import twin
from orderapp.models import FraudAlert, Order, Payment
from orderapp.services import analytics
from orderapp.store import (
    AlertDocument,
    OrderDocument,
    PaymentDocument,
    StoreRejected,
    StoreUnavailable,
)
from tests.records import record
from tests.store.fake import MemoryStore

ORDER = twin(Order)(order_id=7, customer_id=1234, amount=5.0, country="DE", created_at="t")
ALERT = twin(FraudAlert)(
    order_id=7, reason="R", amount=5.0, country="DE", customer_id=1234, detected_at="t"
)
PAYMENT = twin(Payment)(order_id=7, payment_id="pay-7", status="PAID", amount=5.0, paid_at="t")


@pytest.mark.parametrize(
    ("topic", "value", "document_id", "document"),
    [
        (
            "orders",
            ORDER,
            "7",
            OrderDocument(
                order_id=7,
                kafka_partition=3,
                kafka_offset=11,
                customer_id=1234,
                amount=5.0,
                country="DE",
                created_at="t",
            ),
        ),
        (
            "fraud-alerts",
            ALERT,
            "alert::7",
            AlertDocument(
                order_id=7,
                kafka_partition=3,
                kafka_offset=11,
                reason="R",
                amount=5.0,
                country="DE",
                customer_id=1234,
                detected_at="t",
            ),
        ),
        (
            "payments",
            PAYMENT,
            "payment::7",
            PaymentDocument(
                order_id=7,
                kafka_partition=3,
                kafka_offset=11,
                payment_id="pay-7",
                status="PAID",
                amount=5.0,
                paid_at="t",
            ),
        ),
    ],
)
def test_each_message_becomes_a_document_of_its_own(topic, value, document_id, document):
    batch = Batch(topic, 3, [value], [record(topic=topic, partition=3, offset=11)])

    assert analytics.documents(batch) == [document]
    assert document.id == document_id


@pytest.mark.parametrize("error", [StoreUnavailable("away"), StoreRejected("no")])
async def test_an_order_is_never_given_up_for_the_stores_sake(monkeypatch, error):
    store = MemoryStore()
    await store.open()
    monkeypatch.setattr(analytics, "store", store)
    batch = Batch("orders", 0, [ORDER], [record()])

    store.fail(error)
    with pytest.raises(TransientError, match=str(error)):
        await analytics.keep(batch)
    await analytics.keep(batch)

    assert set(store.documents) == {"7"}
