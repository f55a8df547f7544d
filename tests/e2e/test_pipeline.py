"""The whole pipeline on one machine: real worker, real Kafka, SQLite."""

import itertools
import json
import time

import pytest
from aiokafka.producer import message_accumulator, producer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy as PythonBuilder

from tests.e2e import records
from tests.e2e.worker import eventually, faust

# Each test sends orders that no other test knows.
_ids = itertools.count(1_000, step=1_000_000)


def test_an_order_sent_by_the_command_line_is_stored_judged_and_paid(pipeline):
    sent = faust(
        pipeline.data_dir,
        *("send", "orders"),
        '{"order_id":123,"customer_id":1234,"amount":350,"country":"DE"}',
        *("--key", "123"),
    )

    assert sent.returncode == 0, sent.stderr
    metadata = json.loads(sent.stdout)
    assert metadata["topic"] == "orders"
    order = eventually(lambda: pipeline.paid_order(123), "order 123 is paid")
    alert = eventually(lambda: pipeline.alerts(123), "order 123 has its alert")[0]
    assert (
        order["type"],
        order["amount"],
        order["country"],
        order["customer_id"],
    ) == ("order", 350.0, "DE", 1234)
    assert (metadata["partition"], metadata["offset"]) == (
        order["kafka_partition"],
        order["kafka_offset"],
    )
    assert (alert["reason"], alert["country"]) == ("HIGH_AMOUNT_RISKY_COUNTRY", "DE")
    assert (order["payment"]["payment_id"], order["payment"]["status"]) == ("pay-123", "PAID")
    # The same partition number, whoever chose it.
    assert order["kafka_partition"] == alert["kafka_partition"]
    assert order["kafka_partition"] == order["payment"]["kafka_partition"]
    # The missing created_at is that of the record.
    sent_at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(metadata["timestamp"] / 1000))
    assert order["created_at"].startswith(sent_at)


def test_the_command_line_sends_typed_orders(pipeline):
    sent = faust(
        pipeline.data_dir,
        *("send", "orders"),
        '{"order_id":124,"customer_id":1234,"amount":20,"country":"US"}',
        *("--key", "124", "--value-type", "Order"),
    )

    assert sent.returncode == 0, sent.stderr
    order = eventually(lambda: pipeline.paid_order(124), "order 124 is paid")
    assert order["alerts"] == []


def test_a_thousand_orders_become_a_thousand_documents_and_payments(pipeline):
    first = next(_ids)
    countries = ("US", "CA", "DE", "IN", "GB")
    orders = [(first + n, n % 500 + 0.5, countries[n % 5]) for n in range(1000)]
    risky = {i for i, amount, country in orders if amount > 300 and country not in ("US", "CA")}

    records.send(pipeline.kafka, [records.order(*order) for order in orders])

    last = orders[-1][0]
    eventually(
        lambda: all(pipeline.paid_order(first + n) for n in range(980, 1000)),
        "the last orders are paid",
    )
    eventually(lambda: pipeline.paid_order(last), "the last order is paid")
    records.wait_done(pipeline.kafka)
    stories = {i: eventually(lambda i=i: pipeline.paid_order(i), f"{i}") for i, _, _ in orders}
    assert {i for i, story in stories.items() if story["alerts"]} == risky
    payments = [
        payment
        for payment in records.values(records.read(pipeline.kafka, "payments"))
        if payment["order_id"] in stories
    ]
    assert sorted(stories) == sorted(payment["order_id"] for payment in payments)
    alerts = [
        alert["order_id"]
        for alert in records.values(records.read(pipeline.kafka, "fraud-alerts"))
        if alert["order_id"] in stories
    ]
    assert sorted(risky) == sorted(alerts)
    # At 100 ms an order they would take 100 s one after the other.
    paid_at = sorted(payment["paid_at"] for payment in payments)
    assert _seconds(paid_at[-1]) - _seconds(paid_at[0]) < 60


def _seconds(text):
    hours, minutes, seconds = text[11:-1].split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def test_two_events_of_one_order_are_worked_on_in_their_order(pipeline):
    order_id = next(_ids)
    # The amount is the same in all of them: an order is charged with one amount only.
    countries = [f"country {n}" for n in range(30)]

    records.send(pipeline.kafka, [records.order(order_id, 9.5, name) for name in countries])

    def last_payment():
        order = pipeline.paid_order(order_id)
        return order if order and order["payment"]["country"] == countries[-1] else None

    story = eventually(last_payment, "the last event is paid")
    assert countries[-1] == story["country"]
    paid = [
        payment
        for payment in records.values(records.read(pipeline.kafka, "payments"))
        if payment["order_id"] == order_id
    ]
    assert countries == [payment["country"] for payment in paid]
    assert {f"pay-{order_id}"} == {payment["payment_id"] for payment in paid}


def test_an_order_that_comes_again_with_another_amount_is_not_charged_again(pipeline):
    order_id = next(_ids)
    records.send(pipeline.kafka, [records.order(order_id, 9.5)])
    eventually(lambda: pipeline.paid_order(order_id), "it is paid")

    records.send(pipeline.kafka, [records.order(order_id, 12.0)])

    (letter,) = eventually(
        lambda: [
            letter
            for letter in records.read(pipeline.kafka, "orders-dlq")
            if letter.key == str(order_id).encode()
        ],
        "the second one is a dead letter",
    )
    headers = dict(letter.headers)
    assert (headers["service"], headers["error-class"]) == (b"payment", b"KeyReusedError")
    assert b"was charged with 9.5 before, not 12" in headers["error-text"]


BAD = {
    "not-json": b"order 17",
    "not-an-object": b"[1, 2]",
    "missing-field": b'{"order_id": 1, "customer_id": 1234, "amount": 5}',
    "mistyped-field": b'{"order_id":1,"customer_id":1234,"amount":"5","country":"DE"}',
    "nan": b'{"order_id":1,"customer_id":1234,"amount":NaN,"country":"DE"}',
    "negative-amount": b'{"order_id":1,"customer_id":1234,"amount":-5,"country":"DE"}',
    "bad-time": (
        b'{"order_id":1,"customer_id":1234,"amount":5,"country":"DE","created_at":"today"}'
    ),
    "not-utf8": b'{"order_id":1,"customer_id":1234,"amount":5,"country":"\xff"}',
    "deep": b'{"order_id":1,"x":' + b"[" * 100_000,
    "megabyte": b'{"order_id": "' + b"x" * 1_000_000 + b'"}',
    "null-value": None,
}


def test_bad_records_go_unchanged_to_the_dead_letters_and_stop_nobody(pipeline):
    first = next(_ids)
    good = [records.order(first + n) for n in range(len(BAD) + 1)]
    bad = [(name.encode(), value) for name, value in BAD.items()]
    bad.append((None, records.order(first + 99)[1]))
    mixed = [
        message for pair in itertools.zip_longest(good, bad) for message in pair if message
    ]

    records.send(pipeline.kafka, mixed, headers=[("sender", b"test")])

    for key, _ in good:
        eventually(lambda key=key: pipeline.paid_order(int(key)), f"{key} is paid")

    def buried():
        return {
            (letter.key, letter.value): dict(letter.headers)
            for letter in records.read(pipeline.kafka, "orders-dlq")
            if ("sender", b"test") in letter.headers
        }

    eventually(lambda: len(buried()) >= len(bad), "the others are dead letters")
    letters = buried()
    assert set(bad) == set(letters)
    sent = {
        (record.key, record.value): record for record in records.read(pipeline.kafka, "orders")
    }
    for message, headers in letters.items():
        record = sent[message]
        assert {
            "original-topic": b"orders",
            "original-partition": str(record.partition).encode(),
            "original-offset": str(record.offset).encode(),
            "original-timestamp": str(record.timestamp).encode(),
            "service": b"analytics,fraud,payment",
        }.items() <= headers.items()
        assert headers["error-class"]
        assert headers["error-text"]
        where = f"orders[{record.partition}]@{record.offset} "
        # Of many the log says the first ones, and how many more there were.
        assert sum(where in line for line in pipeline.log.splitlines()) <= 1
    assert "dead letter: analytics,fraud,payment could not process orders[" in pipeline.log


@pytest.mark.parametrize("compression", ["gzip", "snappy", "lz4", "zstd"])
def test_orders_are_worked_on_whatever_their_sender_compresses_with(pipeline, compression):
    first = next(_ids)
    orders = [records.order(first + n, 350.0) for n in range(50)]

    records.send(pipeline.kafka, orders, compression_type=compression)

    for n in range(50):
        eventually(lambda n=n: pipeline.paid_order(first + n), f"order {first + n} is paid")


def test_a_header_whose_name_is_no_text_stops_nobody(pipeline, monkeypatch):
    for module in (message_accumulator, producer):
        monkeypatch.setattr(module, "DefaultRecordBatchBuilder", PythonBuilder)
    first = next(_ids)
    good, bad = records.order(first, 350.0), (b"%d" % (first + 1), b"no order")

    odd = [(records.OddName(b"a\xff"), b"1")]
    records.send(pipeline.kafka, [good, bad], headers=odd)

    eventually(lambda: pipeline.paid_order(first), "the order is paid")
    dead = eventually(
        lambda: [r for r in records.read(pipeline.kafka, "orders-dlq") if r.key == bad[0]],
        "the other record is a dead letter",
    )
    assert bad[1] == dead[0].value
    assert dead[0].headers[-1] == ("a\\xff", b"1")


def test_a_batch_of_only_bad_records_stalls_nothing(pipeline):
    value = b"one of many that are bad"
    records.send(pipeline.kafka, [(b"%d" % n, value) for n in range(200)])

    def buried():
        return [r for r in records.read(pipeline.kafka, "orders-dlq") if r.value == value]

    eventually(lambda: len(buried()) == 200, "all are dead letters")


# What fits into a record of Kafka's default limit, beside its key and its own frame.
LARGEST = 1_048_400


def test_records_at_the_size_limit_are_processed_or_become_dead_letters(pipeline):
    order_id = next(_ids)
    key, small = records.order(order_id, note="")
    good = small.replace(b'""', b'"' + b"x" * (LARGEST - len(small)) + b'"')
    bad = b"x" * LARGEST

    records.send(pipeline.kafka, [(key, good), (b"largest", bad)])

    eventually(lambda: pipeline.paid_order(order_id), "the large order is paid")
    letter = eventually(
        lambda: [r for r in records.read(pipeline.kafka, "orders-dlq") if r.key == b"largest"],
        "the large bad record is a dead letter",
    )
    assert [bad] == [r.value for r in letter]


def test_all_offsets_are_committed(pipeline):
    for topic in ("orders", "fraud-alerts", "payments"):
        ends = {p: end for p, end in records.ends(pipeline.kafka, topic).items() if end}
        eventually(
            lambda topic=topic, ends=ends: (
                {
                    partition: offset
                    for partition, offset in records.committed(
                        pipeline.kafka, "orderapp", topic
                    ).items()
                    if offset
                }
                == ends
            ),
            f"all of {topic} is committed",
        )


def test_all_topics_have_six_partitions(pipeline):
    for topic in ("orders", "fraud-alerts", "payments", "orders-dlq"):
        assert sorted(records.ends(pipeline.kafka, topic)) == [0, 1, 2, 3, 4, 5]


def test_health_and_errors_are_json(pipeline):
    assert pipeline.get("/healthz") == (200, {"status": "ok"})
    eventually(lambda: pipeline.get("/readyz") == (200, {"status": "ok"}), "it is ready")
    assert pipeline.order(999_999_999_999) is None
    for path in ("/api/orders/x", "/api/analytics?limit=0", "/api/analytics?limit=101"):
        status, answer = pipeline.get(path)
        assert (status, answer["status"]) == (400, 400)
    for path in ("/table", "/router", "/nothing"):
        assert (pipeline.get(path)[0], pipeline.get(path)[1]["status"]) == (404, 404)


def test_a_second_worker_on_the_same_port_says_so_in_one_line(pipeline):
    second = faust(pipeline.data_dir, "worker", "-p", str(pipeline.port))

    assert second.returncode != 0
    assert f"{pipeline.port}" in second.stderr
    assert "Traceback" not in second.stderr


def test_agents_are_listed(pipeline):
    listed = faust(pipeline.data_dir, "agents")

    assert listed.returncode == 0, listed.stderr
    for name in ("@fraud", "@payment", "@analytics"):
        assert name in listed.stdout
