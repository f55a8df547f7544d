"""Payment at a gateway over HTTP that is away, refuses an order, or is set up wrongly."""

import time
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from orderapp.engine.dead_letters.headers import headers_for, replay_headers
from orderapp.engine.delivery.failure import Failure
from tests.e2e import records
from tests.e2e.test_metrics import Scrape
from tests.e2e.worker import eventually, workers
from tests.gateways.double import GatewayDouble, in_thread, says
from tests.ports import free_port
from tests.records import record

TOKEN = "hush-hush-token"


@pytest.fixture(scope="module")
def gateway():
    return GatewayDouble()


@pytest.fixture(scope="module")
def port():
    return free_port()


@pytest.fixture(scope="module")
def served(gateway, port):
    """Serves the gateway from the first call on."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(in_thread(gateway, port))


@pytest.fixture(scope="module")
def worker(kafka, port, tmp_path_factory):
    with workers(tmp_path_factory.mktemp("gateway") / "data") as start:
        yield start(
            KAFKA_BOOTSTRAP_SERVERS=kafka.bootstrap_servers,
            ORDERAPP_SERVICES="payment",
            ORDERAPP_PAYMENT_URL=f"http://127.0.0.1:{port}/charges",
            ORDERAPP_PAYMENT_TOKEN=TOKEN,
            ORDERAPP_PAYMENT_TIMEOUT="30",
            ORDERAPP_MAX_ATTEMPTS="20",
        ).wait_ready()


def payments(kafka):
    return records.values(records.read(kafka.bootstrap_servers, "payments"))


def paid(kafka, ids, what):
    """The payments of these orders, once all of them are there."""
    return eventually(
        lambda: (
            len(found := [p for p in payments(kafka) if p["order_id"] in ids]) == len(ids)
            and found
        ),
        what,
    )


def dead(kafka):
    return {
        int(letter.key): dict(letter.headers)
        for letter in records.read(kafka.bootstrap_servers, "orders-dlq")
    }


def test_a_gateway_that_is_away_for_some_seconds_charges_each_order_once(
    worker, kafka, gateway, served
):
    orders = [records.order(n, 20_000.0 if n == 7 else float(n + 1)) for n in range(100)]
    records.send(kafka.bootstrap_servers, orders)
    asked = "orderapp_gateway_requests_total"
    eventually(
        lambda: Scrape(worker)(asked, result="unavailable") >= 300,
        "the worker asks in vain for all of them, and again",
    )
    time.sleep(2)
    assert payments(kafka) == []

    served()

    found = paid(kafka, range(100), "all are paid")
    assert {p["order_id"]: p["status"] for p in found} == {
        n: "DECLINED" if n == 7 else "PAID" for n in range(100)
    }
    assert {p["payment_id"] for p in found} == {f"pay-{n}" for n in range(100)}
    assert min(p["attempts"] for p in found) > 1
    assert gateway.posts == dict.fromkeys((f"pay-{n}" for n in range(100)), 1)
    assert dead(kafka) == {}


def test_an_order_that_the_gateway_refuses_is_a_dead_letter_alone(worker, kafka, gateway):
    gateway.charged["pay-202"] = 5.0
    gateway.rules[201] = says(400, f"no such card\r\n\x1b[2J for {TOKEN}")
    records.send(kafka.bootstrap_servers, [records.order(n, 9.5) for n in range(200, 204)])

    paid(kafka, (200, 203), "the others are paid")
    letters = eventually(lambda: len(found := dead(kafka)) == 2 and found, "two are refused")

    assert letters[201]["error-class"] == b"ChargeRefusedError"
    assert letters[201]["error-text"].startswith(b"the gateway says 400 to pay-201: no such")
    assert letters[202]["error-class"] == b"KeyReusedError"
    assert b"pay-202 was charged with 5 before, not 9.5" in letters[202]["error-text"]
    assert {letter["attempts"] for letter in letters.values()} == {b"1"}


def test_while_the_gateway_takes_no_order_none_is_given_up(worker, kafka, gateway):
    gateway.always = says(401, "who are you?")
    records.send(kafka.bootstrap_servers, [records.order(n) for n in range(300, 350)])

    answer = eventually(
        lambda: (got := worker.get("/readyz"))[0] == 503 and got[1], "it is not ready"
    )
    assert any("it says 401 to POST" in reason for reason in answer["missing"])
    assert worker.get("/healthz") == (200, {"status": "ok"})
    asked = len(gateway.requests)
    time.sleep(3)
    assert len(gateway.requests) - asked < 100
    gateway.always = None

    paid(kafka, range(300, 350), "all are paid")
    eventually(worker.is_ready, "it is ready again")
    assert dead(kafka).keys() == {201, 202}
    # Once when it began, and once when it was over.
    assert worker.log.count("the payment gateway takes no order") == 2


def test_what_was_charged_long_ago_is_not_charged_again(worker, kafka, gateway):
    gateway.charged["pay-400"] = 12.5
    key, value = records.order(400, 12.5)
    long_ago = datetime(2026, 1, 2, tzinfo=UTC)
    original = record(value, key, timestamp=int(long_ago.timestamp() * 1000))
    failure = Failure("payment", TimeoutError("no answer"), 8, long_ago.isoformat())
    letter = record(value, key, topic="orders-dlq", headers=headers_for(original, failure))
    headers = replay_headers(letter, ["payment"])

    records.send(kafka.bootstrap_servers, [(key, value)], headers=headers)

    paid(kafka, (400,), "it is paid")
    assert gateway.posts["pay-400"] == 0
    assert ("GET", "/charges/pay-400") in [(m, path) for m, path, *_ in gateway.requests]


def test_the_worker_ends_in_order_and_has_said_no_secret(worker, gateway):
    gateway.always = says(500)
    assert worker.terminate() == 0
    assert TOKEN not in worker.log
    assert "Traceback" not in worker.log
    assert "Unclosed" not in worker.log
