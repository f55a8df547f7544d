"""The API's dead letters with a real worker: seen, replayed and dropped."""

from tests.e2e import records
from tests.e2e.test_dlq import BROKEN, FAST, LARGE, outcome, restarted
from tests.e2e.worker import eventually


def page(worker, query=""):
    status, found = worker.get(f"/api/dead-letters{query}")
    assert status == 200, found
    return found


def listed(worker, status):
    found = worker.get(f"/api/orders?status={status}")[1]
    return [(order["order_id"], order["order_status"]) for order in found["orders"]]


def counted(worker):
    found = worker.get("/api/stats")[1]
    return found["dead_letters"], found["dead_letter_orders"]


def test_a_dead_letter_is_seen_replayed_and_its_order_paid(start):
    worker = start(**BROKEN).wait_ready()
    records.send(worker.kafka, [records.order(7, 400.0, "DE"), (b"8", b"\xff" + LARGE[1:])])
    eventually(lambda: page(worker)["counts"]["open"] == 2, "two are open")

    (letter,) = page(worker, "?order_id=7")["letters"]
    assert (letter["error_class"], letter["open_for"]) == ("GatewayTimeoutError", ["payment"])
    one = worker.get(f"/api/dead-letters/{letter['place']}")[1]["letter"]
    assert (one["order_id"], one["attempts"], one["state"]) == (7, 2, "open")
    assert (one["value"]["form"], one["objection"]) == ("json", None)
    (unreadable,) = page(worker, "?order_id=8")["letters"]
    one = worker.get(f"/api/dead-letters/{unreadable['place']}")[1]["letter"]
    assert (one["value"]["form"], one["value"]["length"]) == ("hex", len(LARGE))
    assert one["value"]["text"].startswith("ff7878")
    eventually(lambda: listed(worker, "dead_letter") == [(7, "dead_letter")], "it is listed")
    assert (listed(worker, "stored"), counted(worker)) == ([], (2, 1))

    worker = restarted(start, worker, **FAST)
    assert outcome(worker, "replay", letter["place"])["done"] == 1
    assert outcome(worker, "drop", unreadable["place"])["done"] == 1

    eventually(lambda: listed(worker, "paid") == [(7, "paid")], "it is paid")
    eventually(lambda: counted(worker) == (0, 0), "none is open")
    assert listed(worker, "dead_letter") == []
    assert worker.order(7)["dead_letter"]["state"] == "replayed"
    assert page(worker)["counts"] == {"open": 0, "replayed": 1, "dropped": 1}
