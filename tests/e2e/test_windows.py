"""Rules with a window, and workers that die: real workers, a real broker.

What has to come out is computed anew from `orders-by-customer`, by other code than the app's.
"""

import json
import random
from collections import defaultdict

import pytest

from tests.e2e import records
from tests.e2e.worker import eventually, faust

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

    def rekeyed(self):
        return {order["order_id"] for order in records.values(records.read(self.server, TOPIC))}

    def wait_judged(self):
        """Return when all orders are judged, by the offsets that are committed."""
        eventually(lambda: len(self.rekeyed()) == self.sent, "all are sent on", 120)
        ends = records.ends(self.server, TOPIC)

        def done():
            at = records.committed(self.server, "orderapp", TOPIC)
            return all(at.get(n, 0) >= end for n, end in ends.items())

        eventually(done, "all are judged", 120)


@pytest.fixture
def shop(own_kafka, tmp_path):
    return Shop(own_kafka.bootstrap_servers, tmp_path / "data", seed=7)


def test_alerts_are_those_of_the_log_though_workers_are_killed(shop, start):
    workers = [start(**shop.settings).wait_ready() for _ in range(2)]
    eventually(lambda: all(worker.is_ready() for worker in workers), "both share the orders")
    shop.send(50)  # while the rule is off, nothing is sent on
    shop.rules("set", RULE, "--state", "active", "--set", f"seconds={SECONDS}")
    for worker in workers:
        line = f"the rule {RULE} is now active"
        eventually(lambda worker=worker: line in worker.log, line)
    eventually(
        lambda: (
            sum(records.committed(shop.server, "orderapp", "orders").values()) == shop.log_size()
        ),
        "what came before is judged",
    )
    assert shop.rekeyed() == set()
    assert shop.found() == {}
