"""Analytics: what is kept of each message."""

import dataclasses
from functools import partial

import pytest
from msgspec.structs import replace

from orderapp import documents
from orderapp.engine.batches.batch import Batch
from orderapp.engine.batches.structs import struct_of
from orderapp.engine.errors import TransientError
from orderapp.models import Attempt, FraudAlert, Order, Payment
from orderapp.services import analytics
from orderapp.store import (
    AlertDocument,
    DeadLetterDocument,
    OrderDocument,
    PaymentDocument,
    ShadowDocument,
    StoreRejected,
    StoreUnavailable,
)
from tests.records import record
from tests.store.fake import MemoryStore

TIME, LATER = "2025-06-01T12:00:00.000000Z", "2025-06-01T12:00:01.000000Z"
STORED = "2025-06-01T12:00:02.000000Z"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"

ORDER = struct_of(Order)(
    order_id=7, customer_id=1234, amount=5.0, country="DE", created_at=TIME
)
ALERT = struct_of(FraudAlert)(
    order_id=7,
    reason="R",
    amount=5.0,
    country="DE",
    customer_id=1234,
    detected_at=LATER,
    created_at=TIME,
)
PAYMENT = struct_of(Payment)(
    order_id=7,
    payment_id="pay-7",
    status="PAID",
    amount=5.0,
    paid_at=LATER,
    attempts=3,
    country="DE",
    created_at=TIME,
)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr(analytics, "now", lambda: STORED)


MAKERS = {
    "orders": partial(documents.order_document, stored_at=STORED),
    "fraud-alerts": documents.alert_document,
    "fraud-alerts-shadow": documents.shadow_document,
    "payments": documents.payment_document,
}


def document_of(topic, value, **fields):
    return MAKERS[topic](value, record(topic=topic, partition=3, offset=11, **fields))


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
                created_at=TIME,
                kafka_timestamp=99,
                stored_at=STORED,
            ),
        ),
        (
            "fraud-alerts",
            ALERT,
            "alert::7::R",
            AlertDocument(
                order_id=7,
                kafka_partition=3,
                kafka_offset=11,
                reason="R",
                amount=5.0,
                country="DE",
                customer_id=1234,
                detected_at=LATER,
                created_at=TIME,
                kafka_timestamp=99,
            ),
        ),
        (
            "fraud-alerts-shadow",
            replace(ALERT, rule_version=3, detail="4 orders"),
            "shadow::7::R",
            ShadowDocument(
                order_id=7,
                kafka_partition=3,
                kafka_offset=11,
                reason="R",
                amount=5.0,
                country="DE",
                customer_id=1234,
                detected_at=LATER,
                created_at=TIME,
                kafka_timestamp=99,
                rule_version=3,
                detail="4 orders",
            ),
        ),
        (
            "fraud-alerts-shadow",
            replace(ALERT, failed=True),
            "shadow::7::R",
            ShadowDocument(
                order_id=7,
                kafka_partition=3,
                kafka_offset=11,
                reason="R",
                amount=5.0,
                country="DE",
                customer_id=1234,
                detected_at=LATER,
                created_at=TIME,
                kafka_timestamp=99,
                failed=True,
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
                paid_at=LATER,
                attempts=3,
                country="DE",
                created_at=TIME,
                kafka_timestamp=99,
            ),
        ),
    ],
)
def test_each_message_becomes_a_document_of_its_own(topic, value, document_id, document):
    assert document == document_of(topic, value, timestamp=99)
    assert document.id == document_id


def test_the_times_of_a_payments_attempts_are_kept_in_one_form():
    attempts = [Attempt("2025-06-01T14:00:00+02:00", LATER), Attempt(LATER, LATER)]
    document = document_of("payments", replace(PAYMENT, attempt_times=attempts))

    assert document.attempt_times == f"{TIME}/{LATER} {LATER}/{LATER}"
    kept = [Attempt(TIME, LATER), Attempt(LATER, LATER)]
    assert documents.attempts_in(document.attempt_times) == kept
    # A payment is stored, whatever its sender takes for a time.
    for odd in ("", "soon", "x" * 9999, f"{LATER}/{LATER}", "0001-01-01T00:00:00+14:00"):
        sent = replace(PAYMENT, attempt_times=[*attempts, Attempt(odd, LATER)])
        assert document_of("payments", sent).attempt_times == ""


@pytest.mark.parametrize(
    ("topic", "value"),
    [
        ("fraud-alerts", replace(ALERT, created_at=None)),
        ("payments", replace(PAYMENT, created_at=None, country=None)),
    ],
)
def test_what_an_older_sender_does_not_say_is_made_up_for(topic, value):
    document = document_of(topic, value)

    assert document.created_at == LATER
    assert document.country == ("" if topic == "payments" else "DE")


@pytest.mark.parametrize(
    ("headers", "trace_id"),
    [
        ([], ""),
        ([("other", b"x")], ""),
        ([("traceparent", b"")], ""),
        ([("traceparent", None)], ""),
        ([("traceparent", b"\xff\xfe")], ""),
        ([("traceparent", b"00-xyz-00f067aa0ba902b7-01")], ""),
        ([("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01".encode())], TRACE),
        (
            [("a", b"b"), ("traceparent", f"00-{TRACE}-00f067aa0ba902b7-00".encode())],
            TRACE,
        ),
    ],
)
def test_order_keeps_the_trace_that_it_came_with(headers, trace_id):
    assert document_of("orders", ORDER, headers=headers).trace_id == trace_id


LETTER = {
    "service": b"fraud,payment",
    "error-class": b"GatewayError",
    "error-text": "keine Antwort \u00fc".encode(),
    "attempts": b"8",
    "original-topic": b"orders",
    "original-partition": b"3",
    "original-offset": b"11",
    "original-timestamp": b"1700000000000",
    "first-failure": b"2025-06-01T12:00:00.110+00:00",
    "last-failure": b"2025-06-01T12:01:00.110+00:00",
}


def letter(key=b"7", **changed):
    headers = LETTER | {name.replace("_", "-"): value for name, value in changed.items()}
    kept = [(name, value) for name, value in headers.items() if value != b"gone"]
    place = {"topic": "orders-dlq", "partition": 2, "offset": 5, "timestamp": 1_700_000_009_000}
    return record(b"{}", key, headers=kept, **place)


def test_dead_letter_of_an_order_becomes_a_document():
    expected = DeadLetterDocument(
        order_id=7,
        kafka_partition=2,
        kafka_offset=5,
        service="fraud,payment",
        error_class="GatewayError",
        error_text="keine Antwort \u00fc",
        attempts=8,
        original_topic="orders",
        first_failure="2025-06-01T12:00:00.110+00:00",
        last_failure="2025-06-01T12:01:00.110+00:00",
        kafka_timestamp=1_700_000_009_000,
    )

    assert expected == documents.dead_letter_document(letter())


@pytest.mark.parametrize(
    "key", [None, b"", b"abc", b"-7", b"7.0", b"1" * 40, "\u0663".encode()]
)
def test_dead_letter_of_no_order_is_no_document(key):
    poison = dataclasses.replace(letter(key), value=b'{"order_id":1}')
    assert documents.dead_letter_document(poison) is None


@pytest.mark.parametrize("name", LETTER)
@pytest.mark.parametrize("value", [b"gone", b"\xff", None])
def test_damaged_dead_letter_is_no_document(name, value):
    changed = {name.replace("-", "_"): value}

    assert documents.dead_letter_document(letter(**changed)) is None


@pytest.mark.parametrize(
    ("value", "order_id"),
    [
        (b'{"order_id":77,"customer_id":1234,"amount":1.0,"country":"DE"}', 77),
        (b'{"order_id":-7,"customer_id":1234,"amount":1.0,"country":"DE"}', None),
        (b"{}", None),
        (b"\xff", None),
        (None, None),
    ],
)
def test_dead_letter_of_an_order_that_was_sent_on_by_customer_is_known_by_its_value(
    value, order_id
):
    # Its key is the customer's id.
    one = letter(b"1234", original_topic=b"orders-by-customer")
    document = documents.dead_letter_document(dataclasses.replace(one, value=value))

    assert (document and document.order_id) == order_id


def test_dead_letter_without_headers_is_no_document():
    assert documents.dead_letter_document(record(key=b"7", topic="orders-dlq")) is None


def test_dead_letter_with_the_largest_numbers_can_be_stored():
    document = documents.dead_letter_document(
        letter(b"9007199254740991", attempts=b"9007199254740991")
    )

    assert document.order_id == document.attempts == 2**53 - 1


@pytest.mark.parametrize("attempts", [b"9" * 20, b"9007199254740992", b"-1"])
def test_dead_letter_with_a_number_that_no_store_holds_is_no_document(attempts):
    assert documents.dead_letter_document(letter(attempts=attempts)) is None


@pytest.mark.parametrize("error", [StoreUnavailable("away"), StoreRejected("no")])
async def test_an_order_is_never_given_up_for_the_stores_sake(monkeypatch, error):
    store = MemoryStore()
    await store.open()
    monkeypatch.setattr(analytics, "store", store)
    batch = Batch("orders", 0, [ORDER], [record()])

    store.fail(error)
    with pytest.raises(TransientError, match=str(error)):
        await analytics.analytics(batch)
    await analytics.analytics(batch)

    assert set(store.documents) == {"7"}
