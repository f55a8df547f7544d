"""The API's dead letters with a real worker: seen, replayed and dropped."""

from tests.e2e import records
from tests.e2e.test_api import post
from tests.e2e.test_dlq import BROKEN, FAST, LARGE, restarted
from tests.e2e.worker import eventually


def answer(worker, path):
    """What is answered; a 503 says that a machine was too slow."""

    def told():
        status, found = worker.get(path)
        assert status in (0, 200, 503), found
        return status == 200 and found

    return eventually(told, f"an answer to {path}")


def page(worker, query=""):
    return answer(worker, f"/api/dead-letters{query}")


def one(worker, letter):
    return answer(worker, f"/api/dead-letters/{letter['place']}")["letter"]


def listed(worker, status):
    found = answer(worker, f"/api/orders?status={status}")["orders"]
    return [(order["order_id"], order["order_status"]) for order in found]


def counted(worker):
    found = answer(worker, "/api/stats")
    return found["dead_letters"], found["dead_letter_orders"]


def change(worker, verb, **body):
    """How many it was, or would be; asked again while there is no answer in time."""

    def told():
        status, found, _ = post(worker, body, path=f"/api/dead-letters/{verb}")
        assert status in (200, 503), found
        return status == 200 and [found["done"]]

    (done,) = eventually(told, f"an answer to {verb}")
    return done


def test_a_dead_letter_is_seen_replayed_and_its_order_paid(start):
    worker = start(**BROKEN).wait_ready()
    records.send(worker.kafka, [records.order(7, 400.0, "DE"), (b"8", b"\xff" + LARGE[1:])])
    eventually(lambda: page(worker)["counts"]["open"] == 2, "two are open")

    (letter,) = page(worker, "?order_id=7")["letters"]
    assert (letter["error_class"], letter["open_for"]) == ("GatewayTimeoutError", ["payment"])
    shown = one(worker, letter)
    assert (shown["order_id"], shown["attempts"], shown["state"]) == (7, 2, "open")
    assert (shown["value"]["form"], shown["objection"]) == ("json", None)
    (unreadable,) = page(worker, "?order_id=8")["letters"]
    shown = one(worker, unreadable)["value"]
    assert (shown["form"], shown["length"]) == ("hex", len(LARGE))
    assert shown["text"].startswith("ff7878")
    eventually(lambda: listed(worker, "dead_letter") == [(7, "dead_letter")], "it is listed")
    eventually(lambda: counted(worker) == (2, 1), "they are counted")
    eventually(lambda: listed(worker, "stored") == [], "it is not among the others")

    worker = restarted(start, worker, **FAST)
    timeouts = {"error": "GatewayTimeout"}
    assert change(worker, "replay", **timeouts, dry_run=True) == 1
    change(worker, "replay", **timeouts)
    assert change(worker, "replay", **timeouts, dry_run=True) == 0
    change(worker, "drop", places=[unreadable["place"]])

    eventually(lambda: counted(worker) == (0, 0), "none is open")
    eventually(lambda: listed(worker, "paid") == [(7, "paid")], "it is paid")
    done = {"open": 0, "replayed": 1, "dropped": 1}
    eventually(lambda: page(worker)["counts"] == done, "it is told what became of them")
    eventually(lambda: listed(worker, "dead_letter") == [], "no order has one")
    eventually(lambda: worker.order(7)["dead_letter"]["state"] == "replayed", "so of the order")
    assert len(records.read(worker.kafka, "orders-dlq-resolved")) == 2
