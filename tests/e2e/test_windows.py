"""Rules with a window, and workers that die: real workers, a real broker.

What has to come out is computed anew from `orders-by-customer`, by other code than the app's.
"""

import json
import random
from collections import defaultdict

import pytest

from tests.e2e import records
from tests.e2e.worker import eventually, faust, rest

RULE, LIMIT, SECONDS = "CUSTOMER_VELOCITY", 3, 5
TOPIC = "orders-by-customer"


class Shop:
    """Sends orders of customers, some of them in bursts."""

    def __init__(self, server, data_dir, seed):
        self.server, self.data_dir = server, data_dir
        self.settings = {"KAFKA_BOOTSTRAP_SERVERS": server}
        self.random = random.Random(seed)
        self.sent = 0

    def rules(self, *arguments):
        done = faust(self.data_dir, "rules", *arguments, **self.settings)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return done.stdout

    def send(self, count):
        """So many orders: most of customers who order rarely, the others of five, and some of
        them twice."""
        made = []
        for _ in range(count):
            self.sent += 1
            often = self.random.random() < 0.3
            customer = self.random.randrange(1000, 1005) if often else 2000 + self.sent % 5000
            one = records.order(self.sent, 10.0, customer_id=customer)
            made += [one] * (2 if self.random.random() < 0.05 else 1)
        records.send(self.server, made)

    def found(self, topic="fraud-alerts"):
        """The details of the rule's alerts for each order."""
        found = defaultdict(set)
        for alert in records.values(records.read(self.server, topic)):
            assert alert["reason"] == RULE
            found[alert["order_id"]].add(alert["detail"])
        return found

    def expected(self, limit=LIMIT, seconds=SECONDS):
        """The same, from the log of orders by customer alone."""
        partitions = defaultdict(list)
        for record in records.read(self.server, TOPIC):
            partitions[record.partition].append(record)
        found = {}
        for log in partitions.values():
            now, times = 0, defaultdict(dict)
            for record in sorted(log, key=lambda record: record.offset):
                order = json.loads(record.value)
                assert record.key == str(order["customer_id"]).encode()
                own, at = times[record.key], record.timestamp
                now = max(now, at)
                since = now - seconds * 1000
                before = own.get(order["order_id"], -1)
                own[order["order_id"]] = max(at, before)
                count = sum(time > since for time in own.values())
                if before <= since < at and count > limit:
                    found[order["order_id"]] = {f"{count} orders in {seconds} s"}
        return found

    def sent_on(self):
        return {order["order_id"] for order in records.values(records.read(self.server, TOPIC))}

    def wait_judged(self, orders):
        """Return when these are judged, by the offsets that are committed."""
        eventually(lambda: self.sent_on() == orders, "all are sent on", 120)

        def done():
            at = records.committed(self.server, "orderapp", TOPIC)
            return all(at.get(n, 0) >= e for n, e in records.ends(self.server, TOPIC).items())

        eventually(done, "all are judged", 120)

    def switch(self, workers, state):
        """Let the rule be in this state, in all workers."""
        self.rules("set", RULE, "--state", state, "--set", f"seconds={SECONDS}")
        line = f"the rule {RULE} is now {state}"
        for worker in workers:
            eventually(lambda worker=worker: line in worker.log, line)


@pytest.fixture
def shop(empty_kafka, tmp_path):
    return Shop(empty_kafka.bootstrap_servers, tmp_path / "data", seed=7)


def test_alerts_are_those_of_the_log_though_workers_are_killed(shop, start):
    workers = [start(**shop.settings).wait_ready() for _ in range(2)]
    eventually(lambda: all(worker.is_ready() for worker in workers), "both share the orders")
    shop.send(50)
    records.wait_done(shop.server)
    assert shop.sent_on() == set()  # nothing is while the rule is off
    before = shop.sent
    shop.switch(workers, "active")

    for _ in range(3):
        for _ in range(4):
            shop.send(100)
            rest(0.5)
        workers.pop(0).kill()
        shop.send(100)
        workers.append(start(**shop.settings).wait_ready())
    shop.send(100)
    shop.wait_judged({*range(before + 1, shop.sent + 1)})

    expected = shop.expected()
    assert len(expected) > 50
    assert shop.found() == expected
    assert [w.log.count("Traceback") for w in workers] == [0, 0]
    assert any("taken in again" in worker.log for worker in workers)
    # What is in the shadow is no alert.
    shop.switch(workers, "shadow")
    first = shop.sent + 1
    for _ in range(10):
        shop.send(20)
    shop.wait_judged({*range(before + 1, shop.sent + 1)})
    new = {order: said for order, said in shop.expected().items() if order >= first}
    assert new
    assert shop.found("fraud-alerts-shadow") == new
    assert shop.found() == expected

    # The history has the same orders, in nearly the same sequence.
    tried = json.loads(
        shop.rules("test", RULE, "--set", "seconds=3600", "--json", "--limit", "0")
    )
    assert (tried["parameters"]["seconds"], tried["failures"]) == (3600, 0)
    assert tried["raised"] >= len(expected) + len(new)
    told = faust(shop.data_dir, "reconcile", "--wait", "60", timeout=120, **shop.settings)
    assert (told.returncode, told.stderr) == (0, ""), told.stdout
    clear = max({*range(before + 1, first)} - expected.keys())
    wrong = {"order_id": clear, "reason": RULE, "amount": 10.0, "country": "DE"}
    wrong |= {"customer_id": 1000, "detected_at": "2026-11-23T18:00:00Z"}
    message = (str(clear).encode(), json.dumps(wrong).encode())
    records.send(shop.server, [message], topic="fraud-alerts")
    told = faust(shop.data_dir, "reconcile", "--json", timeout=120, **shop.settings)
    found = json.loads(told.stdout)["disagreements"]["wrong_alert"]
    assert (told.returncode, found) == (1, {"count": 1, "examples": [clear]})


def clear_order(worker, order_id):
    """An order that is stored and clear, else None."""
    order = worker.order(order_id)
    return order if order and order["fraud"]["verdict"] == "CLEAR" else None


def test_an_attack_is_seen_in_the_shadow_and_by_one_command_becomes_alerts(shop, start):
    settings = {"ORDERAPP_ORDER_INTERVAL": "1", "ORDERAPP_FAULT_ATTACK": "1", **shop.settings}
    worker = start(**settings).wait_ready()

    def reasons(topic):
        return {alert["reason"] for alert in records.values(records.read(shop.server, topic))}

    shop.rules("set", RULE, "--state", "shadow")
    eventually(lambda: reasons("fraud-alerts-shadow") == {RULE}, "the shadow shows the attack")
    assert RULE not in reasons("fraud-alerts")
    tried = records.values(records.read(shop.server, "fraud-alerts-shadow"))[0]["order_id"]
    order = eventually(lambda: clear_order(worker, tried), "it is clear")
    (found,) = order["shadow"]
    assert (found["reason"], found["rule_version"]) == (RULE, 2)
    (step,) = [step for step in order["timeline"] if step["shadow"]]
    assert step["detail"].endswith(f": {found['detail']}")

    shop.rules("set", RULE, "--state", "active")
    eventually(lambda: RULE in reasons("fraud-alerts"), "the attack raises alerts")
