"""What fails, and what one sees of it: faults on purpose, stalls, outages."""

import json
import re
import time
from collections import Counter
from datetime import datetime
from itertools import pairwise

from tests.e2e import records
from tests.e2e.worker import eventually, faust


def test_with_everything_broken_on_purpose_every_order_is_charged_once_and_kept(start):
    worker = start(
        ORDERAPP_ORDER_INTERVAL="0.1",
        ORDERAPP_PAYMENT_DELAY="0.01",
        ORDERAPP_MAX_ATTEMPTS="1000",
        ORDERAPP_FAULT_GATEWAY_TIMEOUT="0.3",
        ORDERAPP_FAULT_GATEWAY_DECLINE="0.5",
        ORDERAPP_FAULT_GATEWAY_SLOW="0.3",
        ORDERAPP_FAULT_STORE_SLOW="0.05",
        ORDERAPP_FAULT_STORE_REFUSE="0.3",
        ORDERAPP_FAULT_DUPLICATES="0.2",
        ORDERAPP_FAULT_POISON="0.3",
    ).wait_ready()
    kafka = worker.kafka
    eventually(lambda: sum(records.ends(kafka, "orders").values()) > 250, "orders come", 60)
    worker.terminate()
    # Whether an order is declined is a fact of the gateway's, which a restart does not change.
    mended = start(ORDERAPP_FAULT_GATEWAY_DECLINE="0.5").wait_ready()
    orders = [r for r in records.read(kafka, "orders") if r.key != b"poison"]
    ids = {int(record.key) for record in orders}
    poison = sum(record.key == b"poison" for record in records.read(kafka, "orders"))
    eventually(
        lambda: {int(r.key) for r in records.read(kafka, "payments")} == ids, "all are paid"
    )
    eventually(lambda: all(mended.paid_order(order_id) for order_id in ids), "all are kept")

    payments = records.values(records.read(kafka, "payments"))
    assert len(orders) > len(ids) > 40  # some were sent several times
    assert poison > 5
    assert {p["payment_id"] for p in payments} == {f"pay-{order_id}" for order_id in ids}
    # The gateway gives an order the same answer each time.
    answers = {(p["order_id"], p["status"]) for p in payments}
    assert len(answers) == len(ids)
    assert min(Counter(status for _, status in answers).values()) > 10
    assert max(p["attempts"] for p in payments) > 1
    for payment in payments:
        check_attempts(payment)
    tried = {p["order_id"]: p for p in payments if p["attempts"] > 1}
    stories = [mended.paid_order(order_id)["payment"] for order_id in tried]
    # One that was sent several times may have been charged at once the last time.
    shown = [found for found in stories if found["attempts"] > 1]
    assert shown
    for found in shown:
        check_attempts(found)
        assert found["attempt_times"] in [p.get("attempt_times") for p in payments]
    dead = records.read(kafka, "orders-dlq")
    assert {record.key for record in dead} == {b"poison"}
    assert len(dead) >= poison
    for name in ("GATEWAY_TIMEOUT", "STORE_REFUSE", "POISON"):
        assert f"BROKEN ON PURPOSE: ORDERAPP_FAULT_{name}=0.3" in worker.log
    assert mended.log.count("BROKEN ON PURPOSE") == 1


def check_attempts(payment):
    """Each attempt and each wait takes the time that it has to, one after the other, until the
    last attempt, which is answered."""
    times = [
        datetime.fromisoformat(attempt[name])
        for attempt in payment.get("attempt_times", ())
        for name in ("began", "ended")
    ]
    assert len(times) == (2 * payment["attempts"] if payment["attempts"] > 1 else 0)
    took = [(end - start).total_seconds() for start, end in pairwise(times)]
    # Without an answer 0.1 s, the first wait is 0.075 s at least, and each answer takes 0.01 s.
    assert [s for s in took[:-1:2] if s < 0.09] == []
    assert [s for s in took[1::2] if s < 0.07] == []
    assert took == [] or took[-1] >= 0.009
    assert times == [] or times[-1] == datetime.fromisoformat(payment["paid_at"])


def test_a_gateway_that_never_answers_ends_in_the_dead_letters_of_payment_alone(
    start, tmp_path
):
    worker = start(
        ORDERAPP_PAYMENT_DELAY="0.01",
        ORDERAPP_MAX_ATTEMPTS="3",
        ORDERAPP_FAULT_GATEWAY_TIMEOUT="1",
    ).wait_ready()
    records.send(worker.kafka, [records.order(1, 350.0), records.order(2)])

    dead = eventually(
        lambda: len(found := records.read(worker.kafka, "orders-dlq")) == 2 and found,
        "both are dead letters",
    )

    headers = dict(dead[0].headers)
    assert headers["service"] == b"payment"
    assert headers["error-class"] == b"GatewayTimeoutError"
    assert headers["attempts"] == b"3"
    assert headers["first-failure"] < headers["last-failure"]
    eventually(lambda: worker.alerts(1), "fraud has judged it all the same")
    status = eventually(
        lambda: (got := worker.order(1))["dead_letter"] and got, "its story says so"
    )
    assert status["order_status"] == "dead_letter"
    assert status["payment"] is None

    # It is mended while the worker runs.
    mend = ("faults", "set", "gateway_timeout", "0", "--author", "ann")
    assert faust(tmp_path / "data", *mend).returncode == 0
    eventually(lambda: faults_of(worker) == {}, "the worker follows")
    records.send(worker.kafka, [records.order(3)])
    eventually(lambda: worker.paid_order(3), "an order is paid")
    # What was switched outweighs the settings of a worker that comes later, from its start on.
    second = start(ORDERAPP_FAULT_GATEWAY_TIMEOUT="1").wait_ready()
    assert faults_of(second) == {}
    told = json.loads(second.text("/api/faults"))
    (change,) = told["changes"]
    assert (change["name"], change["value"], change["author"]) == ("gateway_timeout", 0, "ann")
    # What is no change is refused by both, and the next one follows on the last good one.
    records.send(worker.kafka, [(b"fault:gateway_timeout", b"{}")], topic="orderapp-control")
    assert faust(tmp_path / "data", "faults", "set", "gateway_decline", "1").returncode == 0
    for one in (worker, second):
        eventually(lambda one=one: faults_of(one) == {"gateway_decline": 1.0}, "both follow")
        assert one.log.count("orderapp-control[0]@1 is refused") == 1
    records.send(worker.kafka, [records.order(4)])
    declined = eventually(lambda: worker.paid_order(4), "an order is declined")
    assert declined["payment"]["status"] == "DECLINED"


def faults_of(worker):
    """What is broken on purpose in a worker."""

    def told():
        status, stats = worker.get("/api/stats")
        return status == 200 and stats

    return eventually(told, "its figures")["faults"]


def test_a_worker_whose_work_is_stuck_is_no_longer_healthy_and_says_where(start):
    settings = {"ORDERAPP_STALL_SECONDS": "4", "ORDERAPP_LOG_FORMAT": "json"}
    worker = start(app="tests.e2e.stuck_app", **settings).wait_ready()

    def stalls():
        # Each event is one JSON object in one line.
        events = [json.loads(line) for line in worker.log.splitlines() if line[:1] == "{"]
        return [e for e in events if e["message"].startswith("stalled")]

    records.send(worker.kafka, [records.order(1)])
    eventually(lambda: worker.paid_order(1), "an order goes through")
    time.sleep(5)
    assert worker.get("/healthz") == (200, {"status": "ok"})

    records.send(worker.kafka, [records.order(666)])

    answer = eventually(
        lambda: (got := worker.get("/healthz"))[0] == 503 and got[1], "it says so"
    )
    assert answer["status"] == "stalled"
    assert answer["reason"].startswith("orders[")
    told = eventually(stalls, "its log says so")[0]
    assert told["message"] == f"stalled, /healthz says so: {answer['reason']}", told
    where = r"task of the main loop.*:\n(  .*\n)+  tests/e2e/stuck_app.py:\d+ hang\n"
    assert re.search(where, told["details"])
    assert "task of the consumer's loop" in told["details"]

    records.send(worker.kafka, [records.order(999)])

    told = eventually(lambda: len(found := stalls()) == 2 and found, "the hang too")[1]
    hung = "stalled, /healthz does not answer: the event loop has hung for "
    assert told["message"].startswith(hung)
    # The innermost call of the main thread.
    where = r"thread MainThread:\n(  .*\n)+  tests/e2e/stuck_app.py:\d+ hang\n(?!  )"
    assert re.search(where, told["details"]), told
    assert worker.get("/healthz", 1)[0] == 0
    worker.kill()


def test_a_kafka_that_goes_away_makes_a_worker_unready_and_leaves_it_healthy(own_kafka, start):
    settings = {
        "KAFKA_BOOTSTRAP_SERVERS": own_kafka.bootstrap_servers,
        "ORDERAPP_STALL_SECONDS": "4",
    }
    everything, web = start(**settings), start(**settings, ORDERAPP_SERVICES="web")
    for worker in (everything, web):
        worker.wait_ready()
    own_kafka.kill()

    for worker in (everything, web):
        answer = eventually(
            lambda worker=worker: (got := worker.get("/readyz"))[0] == 503 and got[1],
            "it is not ready",
        )
        assert answer["missing"] == ["Kafka does not answer"]
    for _ in range(10):
        assert everything.get("/healthz") == (200, {"status": "ok"})
        time.sleep(1)
    own_kafka.restart()

    for worker in (everything, web):
        worker.wait_ready()
        assert worker.get("/healthz") == (200, {"status": "ok"})
