"""The API with everything behind it: real workers, real Kafka, SQLite."""

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress

import pytest

from tests.e2e import records
from tests.e2e.worker import eventually

RISKY = {"customer_id": 1234, "amount": 350, "country": "DE"}
HARMLESS = {"customer_id": 1234, "amount": 20.5, "country": "US"}


def post(worker, body, key=None, timeout=60, path="/api/orders"):
    """The status, the JSON and the headers of an answer to a new order, or another body."""
    headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
    url = f"http://127.0.0.1:{worker.port}{path}"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, json.load(answer), answer.headers
    except urllib.error.HTTPError as answer:
        return answer.code, json.load(answer), answer.headers


def accepted(worker, body, key=None):
    """The answer to a new order, which is sent again while nobody can take it (503)."""
    return eventually(
        lambda: (got := post(worker, body, key))[0] != 503 and got, "the order is answered"
    )


class Stream(threading.Thread):
    """A client of `/api/events`, which notes what it gets."""

    def __init__(self, worker, last=None):
        super().__init__(daemon=True)
        self.events, self.comments, self.opened = [], 0, threading.Event()
        self.socket = socket.create_connection(("127.0.0.1", worker.port), 10)
        self.socket.settimeout(60)
        resume = f"Last-Event-ID: {last}\r\n" if last else ""
        head = f"GET /api/events HTTP/1.0\r\nHost: localhost\r\n{resume}\r\n"
        self.socket.sendall(head.encode())

    def run(self):
        fields = {}
        with self.socket.makefile("r", encoding="utf-8", newline="\n") as lines:
            for line in lines:
                name, _, value = line.rstrip("\n").partition(": ")
                if name == "id":
                    self.opened.set()
                if name:
                    fields[name] = value
                elif "data" in fields:
                    data = json.loads(fields["data"])
                    self.events.append((fields["event"], fields["id"], data))
                    fields = {}

    def items(self, kind):
        return [item for _, _, data in [*self.events] for item in data.get(kind, ())]

    def has(self, kind, order_id):
        return any(item["order_id"] == order_id for item in self.items(kind))


@contextmanager
def listening(worker, last=None):
    stream = Stream(worker, last)
    stream.start()
    try:
        assert stream.opened.wait(60)
        yield stream
    finally:
        with suppress(OSError):  # the worker has ended it
            stream.socket.shutdown(socket.SHUT_RDWR)
        stream.socket.close()


def copies(worker, order_id):
    """How often an order is on its topic."""
    return [r for r in records.read(worker.kafka, "orders") if r.key == b"%d" % order_id]


def test_an_order_that_is_posted_is_stored_judged_and_paid(pipeline):
    status, answer, headers = accepted(pipeline, RISKY)

    assert status == 202
    order_id = answer["order"]["order_id"]
    assert headers["Location"] == f"orders/{order_id}"

    def whole():
        order = pipeline.paid_order(order_id)
        return order if order and order["alerts"] else None

    order = eventually(whole, "the order is paid and has its alert")
    assert order["order_status"] == "paid"
    assert order["created_at"] == answer["order"]["created_at"]
    assert order["fraud"] == {"verdict": "ALERT", "reason": "HIGH_AMOUNT_RISKY_COUNTRY"}
    assert {"created", "accepted", "judged", "paid"} <= {s["step"] for s in order["timeline"]}


def test_an_order_is_read_at_once_by_who_has_sent_it(pipeline):
    for _ in range(5):
        _, answer, _ = accepted(pipeline, HARMLESS)
        order_id = answer["order"]["order_id"]
        url = f"http://127.0.0.1:{pipeline.port}/api/orders/{order_id}"
        asking = urllib.request.Request(url, headers={"Prefer": "wait=10"})
        with urllib.request.urlopen(asking, timeout=60) as found:
            assert json.load(found)["order"]["order_id"] == order_id
            assert found.headers["Preference-Applied"] == "wait=10"


def test_an_order_that_no_rule_finds_risky_is_clear_in_the_end(pipeline):
    _, answer, _ = accepted(pipeline, HARMLESS)
    order_id = answer["order"]["order_id"]

    def clear():
        order = pipeline.order(order_id)
        return order if order and order["fraud"]["verdict"] == "CLEAR" else None

    order = eventually(clear, "fraud has committed past the order")
    assert "judged" in [step["step"] for step in order["timeline"]]


def test_stats_follow_the_orders(pipeline):
    records.wait_done(pipeline.kafka)  # what other tests have sent

    def known():
        status, stats = pipeline.get("/api/stats")
        return stats if status == 200 and stats["dead_letters"] is not None else None

    before = eventually(known, "all is counted")
    for _ in range(5):
        accepted(pipeline, RISKY)

    def counted():
        stats = known() or {}
        services = stats.get("services") or {}
        done = services and all(s["lag"] == 0 for s in services.values())
        return stats if done and stats["paid"] >= before["paid"] + 5 else None

    stats = eventually(counted, "all is done, and counted")
    assert stats["orders"] >= before["orders"] + 5
    assert stats["alerts"] >= before["alerts"] + 5
    assert {s["group"] for s in stats["services"].values()} == {"orderapp"}
    assert stats["dead_letters"] == before["dead_letters"]


def test_the_topology_and_the_messages_are_those_of_kafka(pipeline):
    _, answer, _ = accepted(pipeline, RISKY)
    order_id = answer["order"]["order_id"]
    records.wait_done(pipeline.kafka)

    def whole():
        status, found = pipeline.get("/api/topology")
        if status != 200 or found["unknown"]:
            return None
        # What is told may be 3 s old: from between the order and its commit.
        lags = [p["lag"] for service in found["services"] for p in service["partitions"] or ()]
        return None if any(lags) else found

    found = eventually(whole, "all is known, and done")
    topics = {topic["name"]: topic for topic in found["topics"]}
    services = {service["name"]: service for service in found["services"]}
    assert found["store"] == {"kind": "sqlite", "answers": True}
    assert topics["orders"]["partitions"] == 6
    assert topics["orders"]["records"] > 0
    assert topics["orders"]["per_second"] is not None
    fraud = services["fraud"]
    assert (fraud["group"], fraud["health"]) == ("orderapp", "ok")
    (member,) = fraud["members"]
    orders = [p for p in fraud["partitions"] if p["topic"] == "orders"]
    assert [p["partition"] for p in orders] == list(range(6))
    assert {p["member"] for p in orders} == {member}
    assert {p["lag"] for p in orders} == {0}

    _, page = pipeline.get("/api/topics/orders/messages?limit=100")
    (sent,) = [m for m in page["messages"] if m["key"]["text"] == str(order_id)]
    assert json.loads(sent["value"]["text"])["order_id"] == order_id
    place = f"partition={sent['partition']}&offset={sent['offset']}&limit=1"
    _, again = pipeline.get(f"/api/topics/orders/messages?{place}")
    assert again["messages"] == [sent]
    _, later = pipeline.get(f"/api/topics/orders/messages?since={sent['at']}&limit=100")
    assert sent in later["messages"]
    assert min(m["at"] for m in later["messages"]) >= sent["at"]


def test_a_check_of_all_orders_is_begun_and_what_came_of_it_is_told_with_its_age(pipeline):
    accepted(pipeline, HARMLESS)
    status, begun, _ = post(pipeline, None, path="/api/reconcile")
    assert (status, begun["running"]) == (202, True)

    def done():
        found = pipeline.get("/api/reconcile")[1]
        return None if found["running"] else found

    found = eventually(done, "the check is done", 120)
    assert found["failed"] is None
    last = found["last"]
    # Other tests have left dead letters.
    assert last["result"] in {"agree", "dead_letters"}
    assert (last["orders"] > 0, last["disagreements"], last["is_old"]) == (True, [], False)
    assert last["age_seconds"] < 60
    _, hour = pipeline.get("/api/history")
    assert hour["stored"]["orders"] > 0
    assert 0 < hour["paid"]["p50"] <= hour["paid"]["p99"]


def test_an_event_stream_shows_an_order_and_what_becomes_of_it(pipeline):
    with listening(pipeline) as stream:

        def shown():
            """The id of an order of which all was streamed, and the seconds until then."""
            began = time.monotonic()
            order_id = accepted(pipeline, RISKY)[1]["order"]["order_id"]
            for kind in ("orders", "alerts", "payments"):
                eventually(lambda kind=kind: stream.has(kind, order_id), f"{kind} are streamed")
            return order_id, time.monotonic() - began

        order_id, took = shown()
        for _ in range(4):
            if took >= 4:  # the machine may have paused in the middle of it
                order_id, took = shown()
        assert took < 4

    (shown,) = [o for o in stream.items("orders") if o["order_id"] == order_id]
    stored = eventually(lambda: pipeline.order(order_id), "the order is stored")
    assert (shown["partition"], shown["offset"]) == (
        stored["kafka_partition"],
        stored["kafka_offset"],
    )


def test_a_stream_goes_on_where_it_was_broken_off(pipeline):
    with listening(pipeline) as stream:
        accepted(pipeline, HARMLESS)
        eventually(lambda: stream.events, "an event is streamed")
    last = stream.events[-1][1]
    _, answer, _ = accepted(pipeline, RISKY)
    time.sleep(1.5)

    resumed = Stream(pipeline, last)
    resumed.start()
    eventually(
        lambda: resumed.has("orders", answer["order"]["order_id"]), "what was missed comes"
    )
    assert "gap" not in [name for name, _, _ in resumed.events]
    resumed.socket.close()


def test_dead_letters_are_streamed(pipeline):
    with listening(pipeline) as stream:
        records.send(pipeline.kafka, [(b"4711", b"no order")])
        eventually(lambda: stream.has("dead_letters", 4711), "the dead letter is streamed")

    (letter,) = [d for d in stream.items("dead_letters") if d["order_id"] == 4711]
    assert letter["error_class"]
    assert "payment" in letter["service"]


@pytest.mark.timeout(400)
def test_a_key_makes_one_order_also_over_kill_and_restart(start):
    worker = start().wait_ready()
    _, first, _ = accepted(worker, RISKY, "the-key")
    order_id = first["order"]["order_id"]
    worker.kill()
    worker.start().wait_ready()

    status, again, _ = accepted(worker, RISKY, "the-key")
    assert (status, again) == (202, first)
    status, other, _ = accepted(worker, HARMLESS, "the-key")
    assert (status, other["errors"][0]["field"]) == (422, "Idempotency-Key")
    # Another worker knows it from the store, or from the topic.
    second = start(ORDERAPP_SERVICES="web").wait_ready()
    assert accepted(second, RISKY, "the-key")[:2] == (202, first)

    eventually(lambda: worker.paid_order(order_id), "the order is paid")
    assert len(copies(worker, order_id)) == 1


@pytest.mark.timeout(400)
def test_a_key_is_known_from_the_topic_while_nothing_is_stored(start):
    """No analytics runs, so that the store never has the order."""
    worker = start(ORDERAPP_SERVICES="web,fraud").wait_ready()
    status, first, _ = accepted(worker, HARMLESS, "not-stored")
    assert status == 202
    worker.terminate()
    worker.start().wait_ready()

    assert accepted(worker, HARMLESS, "not-stored")[:2] == (202, first)
    assert accepted(worker, RISKY, "not-stored")[0] == 422
    assert len(copies(worker, first["order"]["order_id"])) == 1


@pytest.mark.timeout(400)
def test_a_restart_of_the_worker_ends_streams_at_once_and_is_a_gap(start):
    worker = start().wait_ready()
    with listening(worker) as stream:
        accepted(worker, HARMLESS)
        eventually(lambda: stream.events, "an event is streamed")
        assert worker.terminate() == 0
        assert worker.took < 8
        stream.join(60)
        assert not stream.is_alive()
    worker.start().wait_ready()

    with listening(worker, stream.events[-1][1]) as again:
        eventually(lambda: again.events, "the gap is told")
        assert again.events[0][0] == "gap"


@pytest.mark.timeout(400)
def test_while_kafka_is_away_orders_are_refused_and_streams_stay(own_kafka, start):
    worker = start(KAFKA_BOOTSTRAP_SERVERS=own_kafka.bootstrap_servers).wait_ready()
    with listening(worker) as stream:
        own_kafka.kill()
        status, answer, headers = post(worker, HARMLESS, "away", timeout=20)
        assert (status, answer["status"]) == (503, 503)
        assert headers["Retry-After"]
        assert str(own_kafka.port) not in str(answer)
        eventually(
            lambda: worker.get("/api/stats")[1].get("services", "") is None,
            "they are not known",
        )

        own_kafka.restart()
        eventually(lambda: post(worker, HARMLESS, "away")[0] == 202, "orders are taken", 60)
        _, answer, _ = accepted(worker, HARMLESS, "away")
        order_id = answer["order"]["order_id"]
        eventually(
            lambda: (
                stream.has("orders", order_id) or [e for e in stream.events if e[0] == "gap"]
            ),
            "the stream goes on, or tells of the gap",
            60,
        )
        assert stream.is_alive()
        eventually(lambda: worker.paid_order(order_id), "the order is paid", 60)
        assert len({r.value for r in records.read(own_kafka.bootstrap_servers, "orders")}) == 1
