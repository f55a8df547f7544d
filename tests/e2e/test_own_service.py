"""A service of one's own: one file in a copy of the tree, or a package beside the wheel."""

import asyncio
import json
import shutil
import subprocess
import sys

import pytest

from orderapp.settings import SERVICES
from tests.deploy.known import ROOT
from tests.e2e import records
from tests.e2e.worker import eventually, faust
from tests.test_services_doc import EXAMPLES

#: All that is written for it.
ECHO = '''"""Echo: repeats large orders."""

from orderapp import topics
from orderapp.app import app
from orderapp.models import FraudAlert, Order, now


@app.each(topics.orders, sends=topics.fraud_alerts)
def echo(order: Order) -> FraudAlert | None:
    return topics.fraud_alerts.message(
        order_id=order.order_id, amount=order.amount, country=order.country, reason="LARGE",
        customer_id=order.customer_id, detected_at=now(),
    ) if order.amount > 400 else None
'''

#: And for a rule.
ODD = '''"""Odd: finds orders with an odd id."""

from orderapp.models import Order
from orderapp.rules import rule


@rule("active")
def odd(order: Order) -> bool:
    """An order with an odd id."""
    return order.order_id % 2 == 1
'''


def seen(worker, data_dir, service, **settings):
    """Where a service has to be, and whether it is there."""

    def done():
        found = (worker.get("/api/stats")[1].get("services") or {}).get(service, {})
        return found if found.get("lag") == 0 else None

    found = eventually(done, f"{service} has done all, in /api/stats")
    metrics = worker.text("/metrics")
    operations = worker.get("/asyncapi.json")[1]["operations"]
    rights = faust(data_dir, "acls", "--json", **settings)
    assert rights.returncode == 0, rights.stderr
    return {
        "group": found["group"],
        "metrics": f'service="{service}"' in metrics,
        "asyncapi": sorted(
            name for name, one in operations.items() if {"name": service} in one["tags"]
        ),
        "acls": sorted(
            f"{operation} {right['resource']} {right['name']}"
            for right in map(json.loads, rights.stdout.splitlines())
            for operation, services in right["operations"].items()
            if service in services
        ),
    }


async def test_one_file_is_a_service_everywhere_and_one_a_rule(start, tmp_path, open_page):
    copy = tmp_path / "copy"
    shutil.copytree(
        ROOT / "orderapp", copy / "orderapp", ignore=shutil.ignore_patterns("__pycache__")
    )
    (copy / "orderapp/services/echo.py").write_text(ECHO)
    (copy / "orderapp/rules/odd.py").write_text(ODD)
    path = {"PYTHONPATH": str(copy)}

    wrong = faust(tmp_path / "data", "agents", **path, ORDERAPP_SERVICES="echo,nothing")
    worker = start(**path).wait_ready()
    orders = [records.order(1, 450.0, "US"), records.order(2, 5.0, "US")]
    await asyncio.to_thread(records.send, worker.kafka, orders)

    def sent():
        found = [json.loads(r.value) for r in records.read(worker.kafka, "fraud-alerts")]
        return sorted((alert["order_id"], alert["reason"]) for alert in found)

    both = [(1, "LARGE"), (1, "ODD")]
    await asyncio.to_thread(
        eventually, lambda: sent() == both, "alerts of the service and rule"
    )
    assert ",".join([*SERVICES[:-1], "echo", "web"]) in wrong.stderr
    settings = {**path, "KAFKA_BOOTSTRAP_SERVERS": worker.kafka}
    assert seen(worker, tmp_path / "data", "echo", **settings) == {
        "group": "orderapp",
        "metrics": True,
        "asyncapi": ["receive-orders", "send-fraud-alerts"],
        "acls": [
            "read group echo-group",
            "read topic orders",
            "write topic fraud-alerts",
            "write topic orders-dlq",
            "write topic orders-dlq-resolved",
        ],
    }
    visit = await open_page(f"http://127.0.0.1:{worker.port}/")
    row = visit.page.locator("#services tr", has_text="echo")
    await row.wait_for(timeout=60_000)
    assert worker.terminate() == 0


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the wheels of orderapp and of the example, as `pip install` leaves it."""
    folder = tmp_path_factory.mktemp("installed")
    for source in (ROOT, ROOT / "examples/loyalty"):
        tree = tmp_path_factory.mktemp("source") / "tree"
        ignored = shutil.ignore_patterns("__pycache__", ".*", "*.egg-info", "build", "tests")
        shutil.copytree(source, tree, ignore=ignored)
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target"]
        subprocess.run([*command, str(folder), str(tree)], check=True, timeout=300)
    return folder


def test_a_package_beside_the_wheel_is_a_service_everywhere(start, tmp_path, installed):
    path = {"PYTHONPATH": str(installed)}
    data = tmp_path / "data"

    worker = start(**path).wait_ready()
    # In a group of its own, it comes to all that was paid before.
    records.send(worker.kafka, [records.order(n, 100.0 + n, "US") for n in range(1, 31)])
    records.send(worker.kafka, [records.order(31, 400.0, "US")])
    alone = start(**path, KAFKA_BOOTSTRAP_SERVERS=worker.kafka, ORDERAPP_SERVICES="loyalty")
    alone.wait_ready()

    def points():
        found = records.read(worker.kafka, "loyalty-points")
        return {json.loads(r.value)["order_id"]: json.loads(r.value)["points"] for r in found}

    expected = {n: 100 + n for n in range(1, 31)} | {31: 400}
    eventually(lambda: points() == expected, "all points are given")
    assert "group loyalty-group: this worker reads payments" in alone.log
    settings = {**path, "KAFKA_BOOTSTRAP_SERVERS": worker.kafka}
    found = seen(worker, data, "loyalty", **settings)
    assert found["metrics"]
    assert found["asyncapi"] == ["receive-payments", "send-loyalty-points"]
    assert "create topic loyalty-points" not in found["acls"]
    assert {"read topic payments", "write topic loyalty-points"} <= {*found["acls"]}
    # The package has a rule too.
    order = eventually(lambda: (o := worker.order(31)) and o["alerts"] and o, "an alert of 31")
    assert [alert["reason"] for alert in order["alerts"]] == ["WHOLE_HUNDRED"]
    assert not worker.alerts(30)
    for one in (alone, worker):
        assert one.terminate() == 0


def test_the_tests_of_the_example_pass_where_it_is_installed(installed, tmp_path):
    example = ROOT / "examples/loyalty/tests"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(example)]
    done = subprocess.run(
        [*command, "--rootdir", str(tmp_path)],
        env={"PATH": "", "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "8 passed" in done.stdout, done.stdout + done.stderr


def counts_of(server):
    """The table of the how-to, as its changelog has it."""
    found = records.read(server, "regulars-group-regulars-changelog")
    return {json.loads(r.key): json.loads(r.value) for r in found}


def test_a_table_beside_the_batches_survives_kill_9(empty_kafka, start, tmp_path):
    tree = tmp_path / "tree"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "orderapp", tree / "orderapp", ignore=ignored)
    (tree / "orderapp/services/regulars.py").write_text(
        EXAMPLES["orderapp/services/regulars.py"]
    )
    server = empty_kafka.bootstrap_servers
    settings = {"PYTHONPATH": str(tree), "KAFKA_BOOTSTRAP_SERVERS": server}

    def send(*order_ids):
        customers = (1000 + order_id % 3 for order_id in order_ids)
        pairs = zip(order_ids, customers, strict=True)
        records.send(server, [records.order(n, customer_id=c) for n, c in pairs])

    others = start(**settings, ORDERAPP_SERVICES="fraud,payment,analytics,web").wait_ready()
    first = start(**settings, ORDERAPP_SERVICES="regulars").wait_ready()
    send(*range(1, 31))
    expected = {str(customer): 10 for customer in (1000, 1001, 1002)}
    eventually(lambda: counts_of(server) == expected, "all are counted")
    eventually(
        lambda: (
            records.committed(server, "regulars-group", "orders-of-customers")
            == records.ends(server, "orders-of-customers")
        ),
        "all is committed",
    )
    first.kill()
    second = start(**settings, ORDERAPP_SERVICES="regulars").wait_ready()
    send(*range(31, 61))
    expected = dict.fromkeys(expected, 20)
    eventually(lambda: counts_of(server) == expected, "counting goes on", 60)
    assert others.terminate() == 0
    assert second.terminate() == 0
