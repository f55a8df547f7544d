"""A worker in a group of its own name: on a real broker."""

from tests.e2e import records
from tests.e2e.worker import eventually


def committed(server, group):
    return sum(records.committed(server, group, "orders").values())


def said(worker):
    return [line for line in worker.log.splitlines() if "has read nothing here before" in line]


def test_a_new_group_says_once_that_it_begins_with_the_oldest_records(empty_kafka, start):
    server = empty_kafka.bootstrap_servers
    settings = {"KAFKA_BOOTSTRAP_SERVERS": server, "ORDERAPP_PAYMENT_DELAY": "0"}
    first = start(**settings).wait_ready()
    records.send(server, [records.order(n) for n in range(1, 8)])
    eventually(lambda: committed(server, "orderapp") == 7, "the orders are done")
    first.terminate()
    assert said(first) == [], "nothing waited"

    renamed = {**settings, "ORDERAPP_GROUP": "ours", "ORDERAPP_SERVICES": "fraud,web"}
    worker = start(**renamed).wait_ready()
    eventually(lambda: committed(server, "ours") == 7, "they are done again")
    (line,) = said(worker)
    assert "[INFO]" in line
    assert "group ours has read nothing" in line
    assert "about 7 wait in orders[" in line

    def lags():
        services = worker.get("/api/stats")[1].get("services") or {}
        return {name: at and at["lag"] for name, at in services.items()}

    records.send(server, [records.order(n) for n in range(8, 11)])
    wanted = {"fraud": 0, "payment": 3, "analytics": 3}
    eventually(lambda: lags() == wanted, "the page shows this group beside the others")
    worker.terminate()

    assert said(start(**renamed).wait_ready()) == [], "it has begun"
