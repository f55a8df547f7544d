"""`faust -A orderapp reconcile` against a real broker and a real store."""

import json
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from orderapp.store.sqlite.schema import create
from tests.e2e import records
from tests.e2e.worker import eventually, faust, workers
from tests.ports import free_port

SAFE, RISKY, LAST = range(1, 6), range(6, 11), 10
BAD = b"no order"
VERSION_1 = (Path(__file__).parents[1] / "store" / "sqlite" / "version_1.sql").read_text()


@pytest.fixture(scope="module")
def worked(tmp_path_factory):
    """A worker that has stored ten orders, half of them risky, one of them sent twice, and has
    buried a record that is no order."""
    with workers(tmp_path_factory.mktemp("reconcile") / "data") as start:
        worker = start(ORDERAPP_PAYMENT_DELAY="0").wait_ready()
        sent = [records.order(i, 20.0, "DE", created_at="2025-06-01T12:00:00Z") for i in SAFE]
        sent += [records.order(i, 400.0, "IN") for i in RISKY]
        records.send(worker.kafka, [*sent, sent[0], (b"1", BAD)])
        eventually(lambda: worker.paid_order(LAST), "the last order is paid")
        yield worker


@pytest.fixture
def store(worked):
    """The SQLite file, as it was again after the test."""
    connection = sqlite3.connect(worked.data_dir / "orders.db", timeout=60)
    tables = ("orders", "alerts", "payments")
    kept = {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
    yield connection
    with connection:
        for table, rows in kept.items():
            connection.execute(f"DELETE FROM {table}")
            marks = ", ".join("?" * len(rows[0]))
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
    connection.close()


def reconcile(worker, *arguments, wait="0", **settings):
    return faust(worker.data_dir, "reconcile", "--wait", wait, *arguments, **settings)


def found(worker, wait="0"):
    """The disagreements: the examples by name."""
    run = reconcile(worker, "--json", "--allow-dead-letters", wait=wait)
    assert run.stderr == ""
    report = json.loads(run.stdout)
    disagreements = {
        name: finding["examples"]
        for name, finding in report["disagreements"].items()
        if finding["count"]
    }
    assert run.returncode == (1 if disagreements else 0)
    assert report["status"] == ("disagree" if disagreements else "agree")
    return disagreements


def test_everything_agrees_after_a_worker_has_done_its_work(worked):
    # Not at once: the worker may still be at it.
    run = reconcile(worked, "--json", "--allow-dead-letters", wait="90")

    assert (run.returncode, run.stderr) == (0, "")
    report = json.loads(run.stdout)
    assert report["status"] == "agree"
    assert report["orders"] == 10
    assert report["records"] == {
        "orders": 12,
        "fraud-alerts": 5,
        "payments": 11,
        "orders-dlq": 1,
        "orders-dlq-resolved": 0,
    }
    assert report["documents"] == {"order": 10, "alert": 5, "payment": 10}
    assert report["apart"]["repeated"] == 1


def test_the_table_says_so_in_words(worked):
    run = reconcile(worked, "--allow-dead-letters", wait="90")

    assert (run.returncode, run.stderr) == (0, "")
    assert "  dead letters that are no order: 1 open, 0 dropped  " in run.stdout
    assert run.stdout.endswith("Disagreements\n  none\n\n10 orders: all agree.\n")


def test_a_dead_letter_that_is_no_order_is_not_well_until_it_is_dropped(worked):
    run = reconcile(worked, "--json", wait="90")

    assert (run.returncode, run.stderr) == (1, "")
    report = json.loads(run.stdout)
    assert report["status"] == "dead_letters"
    others = report["dead_letters_no_order"]
    assert (others["open"], others["dropped"], len(others["examples"])) == (1, 0, 1)
    assert " orders: dead letters are open" in reconcile(worked).stdout

    assert faust(worked.data_dir, "dlq", "drop", *others["examples"], "--yes").returncode == 0
    run = reconcile(worked)

    assert (run.returncode, run.stderr) == (0, "")
    assert "  dead letters that are no order: 0 open, 1 dropped\n" in run.stdout


CHANGES = {
    "an order without document": (
        "DELETE FROM orders WHERE order_id = 2",
        {"order_without_document": [2]},
    ),
    "an alert without document": (
        "DELETE FROM alerts WHERE order_id = 7",
        {"alert_without_document": [7]},
    ),
    "payments without document": (
        "DELETE FROM payments WHERE order_id IN (3, 4)",
        {"payment_without_document": [3, 4]},
    ),
    "another amount": (
        "UPDATE orders SET amount = 21 WHERE order_id = 5",
        {"document_differs": [5]},
    ),
    "another place": (
        "UPDATE payments SET kafka_offset = kafka_offset + 1000 WHERE order_id = 5",
        {"document_differs": [5]},
    ),
    "an alert for a safe order": (
        "UPDATE alerts SET order_id = 2 WHERE order_id = 7",
        {"document_without_record": [2], "alert_without_document": [7]},
    ),
}


@pytest.mark.parametrize(("statement", "expected"), CHANGES.values(), ids=CHANGES)
def test_each_change_of_the_store_is_found(worked, store, statement, expected):
    with store:
        store.execute(statement)

    assert found(worked) == expected


def test_a_document_that_nobody_ordered_is_found(worked, store):
    row = store.execute("SELECT * FROM orders WHERE order_id = 5").fetchone()
    marks = ", ".join("?" * (len(row) - 1))
    with store:
        store.execute(f"INSERT INTO orders VALUES (99, {marks})", row[1:])

    assert found(worked) == {"document_without_order": [99]}


def test_what_is_on_its_way_is_waited_for(worked, store):
    missing = store.execute("SELECT * FROM orders WHERE order_id = 2").fetchone()
    with store:
        store.execute("DELETE FROM orders WHERE order_id = 2")

    def bring_it():
        time.sleep(5)
        connection = sqlite3.connect(worked.data_dir / "orders.db", timeout=60)
        with connection:
            marks = ", ".join("?" * len(missing))
            connection.execute(f"INSERT INTO orders VALUES ({marks})", missing)
        connection.close()

    assert found(worked) == {"order_without_document": [2]}
    bringing = threading.Thread(target=bring_it)
    bringing.start()
    assert found(worked, wait="90") == {}
    bringing.join()


# -- what is wrong in the topics --------------------------------------------------------


def message(order_id, **fields):
    return str(order_id).encode(), json.dumps({"order_id": order_id, **fields}).encode()


def payment(order_id, amount=400.0, payment_id=None, status="PAID"):
    told = {"payment_id": payment_id or f"pay-{order_id}", "status": status, "amount": amount}
    return message(order_id, **told, paid_at="2025-06-01T12:00:01.000000Z")


def alert(order_id, amount=400.0, reason="HIGH_AMOUNT_RISKY_COUNTRY"):
    told = {"reason": reason, "amount": amount, "country": "IN", "customer_id": 1234}
    return message(order_id, **told, detected_at="2025-06-01T12:00:01.000000Z")


def dead_letter(service, offset, **changes):
    texts = {
        "service": service,
        "error-class": "E",
        "error-text": "no",
        "attempts": "8",
        "original-topic": "orders",
        "original-partition": "0",
        "original-offset": str(offset),
        "original-timestamp": "1",
        "first-failure": "2025-06-01",
        "last-failure": "2025-06-01",
    }
    return [(name, text.encode("latin-1")) for name, text in (texts | changes).items()]


def test_each_mistake_in_the_topics_is_found(start):
    # Nobody else judges or charges: everything is told by hand.
    worker = start(ORDERAPP_SERVICES="analytics,web").wait_ready()
    given_up = {20: "fraud", 21: "payment", 22: "fraud"}
    risky = (*range(1, 9), *given_up, 23)

    def send(topic, *messages, headers=()):
        records.send(worker.kafka, messages, topic, headers)

    send("orders", *[records.order(i, 400.0, "IN") for i in risky])
    send("orders", records.order(9, 20.0, "US"))
    send("payments", *[payment(i) for i in risky if i not in (3, 5, 21, 22, 23)])
    send("payments", payment(9, 20.0))
    send("fraud-alerts", *[alert(i) for i in risky if i not in (4, 7, 20)])
    # Mistakes, beside what is left out above.
    send("payments", payment(2, payment_id="another"), payment(5, 401.0), payment(77))
    send("payments", payment(8, status="DECLINED"))
    send("fraud-alerts", alert(7, 401.0), alert(9, 20.0), alert(78))
    send("fraud-alerts", alert(8, reason="BAD_MOOD"))
    for order_id, service in given_up.items():
        letter = dead_letter(service, order_id)
        send("orders-dlq", records.order(order_id, 400.0, "IN"), headers=letter)
    # Damaged headers of all kinds do no harm, and do not excuse order 23.
    for damage in (
        {"attempts": "many"},
        {"service": ""},
        {"error-text": "\xff"},
        {"original-offset": "9" * 19},  # what no table holds
    ):
        letter = dead_letter(**{"service": "payment", "offset": 23} | damage)
        send("orders-dlq", records.order(23, 400.0, "IN"), headers=letter)
    send("orders-dlq", records.order(23, 400.0, "IN"), (b"1", b""), (None, b"\xff"))
    # Nor do notes that are none.
    note = b'{"action":"dropped","at":"2025-06-01"}'
    none = [(b"x", b"{"), (b"1:", b""), (b"0:99999999999999999999", note)]
    send("orders-dlq-resolved", *none)
    records.wait_done(worker.kafka, "analytics-group")

    run = reconcile(worker, "--json", wait="5")

    assert run.returncode == 1
    said = run.stderr.splitlines()
    assert len(said) == len(none)
    assert all("is not a valid dead letter resolution: ignored" in line for line in said)
    report = json.loads(run.stdout)
    examples = {n: f["examples"] for n, f in report["disagreements"].items() if f["count"]}
    assert examples == {
        "order_without_payment": [3, 22, 23],
        "order_charged_twice": [2],
        "wrong_payment": [5, 8],
        "payment_without_order": [77],
        "missing_alert": [4],
        "wrong_alert": [7, 8, 9],
        "alert_without_order": [78],
        "document_without_order": [77, 78],
    }
    apart = {name: count for name, count in report["apart"].items() if count}
    assert apart == {"waiting_fraud": 1, "waiting_payment": 1, "damaged_dead_letters": 7}


# -- what can't be checked --------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("--wait", "soon"),
        ("--wait", "-1"),
        ("--wait", "nan"),
        ("--limit", "-1"),
        ("--limit", "x"),
        ("more",),
    ],
)
def test_wrong_arguments_end_with_one_line_and_status_2(tmp_path, arguments):
    run = faust(tmp_path / "data", "reconcile", *arguments)

    assert "reconcile --help" in one_line(run, status=2)
    assert not (tmp_path / "data").exists()


def one_line(run, status=1):
    assert (run.returncode, run.stdout) == (status, "")
    (line,) = run.stderr.splitlines()
    assert line.startswith("orderapp: ")
    return line


def test_where_no_worker_has_run_nothing_is_made(tmp_path):
    run = faust(tmp_path / "data", "reconcile")

    assert "kafka does not exist: no worker has run here" in one_line(run)
    assert not (tmp_path / "data").exists()


def with_a_store(tmp_path, make=create):
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    connection = sqlite3.connect(data_dir / "orders.db", isolation_level=None)
    make(connection)
    connection.close()
    return data_dir


def test_a_broker_that_is_away_is_one_line(tmp_path):
    nobody = f"127.0.0.1:{free_port()}"

    run = faust(with_a_store(tmp_path), "reconcile", KAFKA_BOOTSTRAP_SERVERS=nobody)

    assert nobody in one_line(run)


def test_missing_and_empty_topics_are_one_line(tmp_path, empty_kafka):
    data_dir = with_a_store(tmp_path)
    server = {"KAFKA_BOOTSTRAP_SERVERS": empty_kafka.bootstrap_servers}

    missing = one_line(faust(data_dir, "reconcile", **server))
    assert "the topic 'fraud-alerts' does not exist" in missing

    # A worker makes them.
    with workers(data_dir) as start:
        start(ORDERAPP_SERVICES="analytics,web", **server).wait_ready()
    assert "are empty" in one_line(faust(data_dir, "reconcile", **server))


def test_a_store_that_can_not_be_opened_is_one_line(worked, tmp_path):
    data_dir = with_a_store(tmp_path)
    (data_dir / "orders.db").write_bytes(b"no database " * 100)

    run = faust(data_dir, "reconcile", KAFKA_BOOTSTRAP_SERVERS=worked.kafka)

    assert "orders.db" in one_line(run)


def test_a_store_of_an_older_orderapp_is_left_as_it_is(worked, tmp_path):
    data_dir = with_a_store(tmp_path, lambda connection: connection.executescript(VERSION_1))
    before = (data_dir / "orders.db").read_bytes()

    run = faust(data_dir, "reconcile", KAFKA_BOOTSTRAP_SERVERS=worked.kafka)

    assert "start a worker once" in one_line(run)
    assert (data_dir / "orders.db").read_bytes() == before
