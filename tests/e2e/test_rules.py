"""Rules are changed while workers run: real workers, a real broker, the real command."""

import itertools
import json

import pytest

from tests.e2e import records
from tests.e2e.worker import eventually, faust

RULE = "HIGH_AMOUNT_RISKY_COUNTRY"
#: Orders that are sent at a time, to all partitions.
SOME = 60


class Shop:
    """Sends orders, changes the rule, and sees what became of it."""

    def __init__(self, server, data_dir):
        self.server, self.data_dir = server, data_dir
        self.settings = {"KAFKA_BOOTSTRAP_SERVERS": server}
        self.ids = itertools.count(1)

    def set_rule(self, *arguments):
        done = faust(self.data_dir, "rules", "set", RULE, *arguments, "--json", **self.settings)
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)["after"]["version"]

    def send(self, amount):
        orders = list(itertools.islice(self.ids, SOME))
        records.send(self.server, [records.order(n, amount, "DE") for n in orders])
        return {*orders}

    def found(self, topic="fraud-alerts"):
        """By which version of the rule each order was found."""
        alerts = records.values(records.read(self.server, topic))
        return {alert["order_id"]: alert["rule_version"] for alert in alerts}

    def versions(self, orders, topic="fraud-alerts"):
        """By which these were; waits until all are found."""
        eventually(lambda: orders <= self.found(topic).keys(), f"all are in {topic}", 60)
        found = self.found(topic)
        return {found[order] for order in orders}


@pytest.fixture
def shop(empty_kafka, tmp_path):
    return Shop(empty_kafka.bootstrap_servers, tmp_path / "data")


def follow(workers, text):
    """Wait until all workers judge by a version of the rule."""
    line = f"the rule {RULE} is now {text}"
    for worker in workers:
        eventually(lambda worker=worker: line in worker.log, line)


def asked(worker, version, state="active"):
    """How many orders a worker has judged by a version."""
    series = f'orderapp_rule_orders_total{{rule="{RULE}",state="{state}",version="{version}"}}'
    lines = worker.text("/metrics").splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(series))


def test_a_change_reaches_all_workers_and_a_new_one_begins_with_it(shop, start):
    both = [start(**shop.settings).wait_ready() for _ in range(2)]
    eventually(lambda: all(worker.is_ready() for worker in both), "both share the orders")
    assert shop.versions(shop.send(350.0)) == {1}

    assert shop.set_rule("--set", "limit=400") == 2
    follow(both, "active, version 2, limit=400.0")
    clear, risky = shop.send(350.0), shop.send(450.0)

    assert shop.versions(risky) == {2}
    eventually(lambda: sum(asked(w, 2) for w in both) >= 2 * SOME, "all are judged")
    assert min(asked(worker, 2) for worker in both) > 0
    assert not clear & shop.found().keys()

    # What is no change is refused by both alike; the next one follows on the last good one.
    records.send(shop.server, [(f"rule:{RULE}".encode(), b"{}")], topic="orderapp-control")
    assert shop.set_rule("--set", "limit=200", "--version", "2") == 3
    follow(both, "active, version 3, limit=200.0")
    assert [w.log.count("orderapp-control[0]@1 is refused") for w in both] == [1, 1]

    assert [worker.terminate() for worker in both] == [0, 0]
    waiting = shop.send(250.0)
    third = start(**shop.settings).wait_ready()
    assert shop.versions(waiting) == {3}
    assert asked(third, 1) == asked(third, 2) == 0


def test_what_a_rule_in_the_shadow_finds_is_no_alert(shop, start):
    worker = start(**shop.settings).wait_ready()
    assert shop.set_rule("--state", "shadow") == 2
    follow([worker], "shadow, version 2")

    orders = shop.send(350.0)

    assert shop.versions(orders, "fraud-alerts-shadow") == {2}
    one = min(orders)
    eventually(lambda: worker.paid_order(one), "it is paid")
    eventually(lambda: worker.order(one)["fraud"] == {"verdict": "CLEAR", "reason": None}, "it")
    assert worker.order(one)["alerts"] == []
    assert shop.found() == {}
    # Active again: the next one is an alert.
    assert shop.set_rule("--state", "active") == 3
    follow([worker], "active, version 3")
    assert shop.versions(shop.send(350.0)) == {3}
    # Some of these orders have an alert, and others none, by versions that were in force.
    told = faust(shop.data_dir, "reconcile", "--wait", "40", timeout=120, **shop.settings)
    assert (told.returncode, told.stderr) == (0, ""), told.stdout
