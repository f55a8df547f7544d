"""Couchbase with real workers: what ends a start, what is waited for, and documents that
expire."""

import json
import time

import pytest

from tests.couchbase_double import couchbase_double
from tests.e2e import records
from tests.e2e.worker import eventually, faust, workers
from tests.ports import free_port

RIGHTS = ["query_select", "query_manage_index"]
DAY = 24 * 3600


@pytest.fixture(scope="module")
def running():
    with couchbase_double() as double:
        yield double


@pytest.fixture(scope="module")
def worker(running, tmp_path_factory):
    """Whose documents expire after a day, and which was started without the right to create an
    index."""
    running.set(roles=["query_select"])
    settings = {**running.environment, "COUCHBASE_EXPIRY_DAYS": "1"}
    with workers(tmp_path_factory.mktemp("couchbase") / "data") as start:
        # All but the producer, whose orders would be among those of the tests.
        services = "fraud,payment,analytics,web"
        yield start(ORDERAPP_SERVICES=services, **settings).wait_ready()


@pytest.fixture
def double(running):
    running.heal()
    running.set(roles=RIGHTS, new_state="online")
    return running


# What ends the start


def refused(tmp_path, settings):
    """The one line with which a worker ends."""
    settings = {**settings, "ORDERAPP_SERVICES": "analytics,web"}
    ended = faust(tmp_path / "data", "worker", "-p", str(free_port()), **settings)
    assert ended.returncode not in (0, None), ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout
    lines = [line for line in ended.stderr.splitlines() if "orderapp: " in line]
    lines += [line for line in ended.stderr.splitlines() if "CRITICAL" in line]
    assert len(lines) == 1, ended.stderr
    assert "p@ss word" not in ended.stderr + ended.stdout
    return lines[0]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"COUCHBASE_HOST": "http://db"}, "no other scheme"),
        ({"COUCHBASE_HOST": "127.0.0.1:8091"}, "8091"),
        ({"COUCHBASE_HOST": "couchbase://127.0.0.1:11207"}, "couchbases://"),
        ({"COUCHBASE_CA_FILE": "/nowhere/ca.pem"}, "No such file"),
        ({"COUCHBASE_CA_FILE": __file__}, "no certificate in PEM"),
        ({"COUCHBASE_DURABILITY": "most"}, "persistToMajority"),
        ({"COUCHBASE_SCOPE": "shop"}, "COUCHBASE_COLLECTION"),
    ],
    ids=str,
)
def test_a_setting_that_can_not_work_ends_the_start_in_one_line(tmp_path, double, wrong, says):
    line = refused(tmp_path, {**double.environment, **wrong})

    assert says in line
    assert all(name in line for name in wrong)


SHOP = {"COUCHBASE_SCOPE": "shop", "COUCHBASE_COLLECTION": "orders"}


@pytest.mark.parametrize(
    ("wrong", "faults", "says"),
    [
        ({"COUCHBASE_PASSWORD": "wrong-secret"}, {}, "COUCHBASE_PASSWORD"),
        ({"COUCHBASE_BUCKET": "nowhere"}, {}, "bucket nowhere: BucketNotFound"),
        (
            {"COUCHBASE_BUCKET": "nowhere"},
            {"missing_bucket": "NOT_FOUND"},
            "bucket nowhere: BucketNotFound",
        ),
        (SHOP, {}, "there is no collection shop.orders"),
        ({}, {"ephemeral": True}, "COUCHBASE_DURABILITY"),
    ],
    ids=str,
)
def test_what_couchbase_refuses_ends_the_start_in_one_line(
    tmp_path, double, worker, wrong, faults, says
):
    double.inject(**faults)
    settings = {
        "KAFKA_BOOTSTRAP_SERVERS": worker.kafka,
        **double.environment,
        # What an ephemeral bucket can't give; all others can.
        "COUCHBASE_DURABILITY": "persistToMajority",
        **wrong,
    }
    line = refused(tmp_path, settings)

    assert says in line
    assert "wrong-secret" not in line


def test_a_bucket_whose_replicas_have_no_nodes_ends_the_start_in_one_line(tmp_path, worker):
    with couchbase_double("--nodes", "1", "--replicas", "1") as double:
        settings = {"KAFKA_BOOTSTRAP_SERVERS": worker.kafka, **double.environment}
        line = refused(tmp_path, settings)

    assert "set COUCHBASE_DURABILITY=none" in line


def test_tls_where_there_is_none_ends_the_start_in_one_line(tmp_path, double, worker):
    settings = {"KAFKA_BOOTSTRAP_SERVERS": worker.kafka, **double.environment}
    line = refused(tmp_path, {**settings, "COUCHBASE_HOST": f"couchbases://{double.host}"})

    assert "answers without TLS" in line


# What is waited for


def send_old(worker, *order_ids):
    """Orders of three days ago."""
    then = int((time.time() - 3 * DAY) * 1000)
    orders = [records.order(i, 400.0, "IN") for i in order_ids]
    records.send(worker.kafka, orders, timestamp=then)


def is_complete(worker, order_id):
    return worker.paid_order(order_id) and worker.alerts(order_id)


def test_orders_are_stored_while_an_index_is_missing_and_while_it_is_built(worker, double):
    double.drop_indexes()
    double.set(roles=["query_select"])
    send_old(worker, 1)
    eventually(lambda: is_complete(worker, 1), "the order is stored and found by its id")
    eventually(lambda: "No index for the latest orders yet" in worker.log, "the log says so")
    assert "Add role query_manage_index" in worker.log
    _, answer = eventually(
        lambda: (got := worker.get("/api/analytics"))[0] == 503 and got, "the list is missing"
    )
    assert answer["detail"] == "index orderapp_orders is missing; try again"

    double.set(roles=RIGHTS, new_state="building")
    built = "index orderapp_orders is being built; try again"
    for _ in range(2):
        eventually(lambda: worker.get("/api/analytics")[1].get("detail") == built, built)
    eventually(worker.is_ready, "that does not keep it from its work")

    double.finish_indexes()
    _, answer = eventually(
        lambda: (got := worker.get("/api/analytics"))[0] == 200 and got, "the list is there"
    )
    assert 1 in [order["order_id"] for order in answer["orders"]]


# Documents that expire


def reconcile(worker, double, **settings):
    """How many orders have expired, and the disagreements: their orders by name."""
    everything = {**double.environment, **settings}
    run = faust(worker.data_dir, "reconcile", "--json", "--wait", "0", **everything)
    assert run.stderr == ""
    report = json.loads(run.stdout)
    found = {name: f["examples"] for name, f in report["disagreements"].items() if f["count"]}
    assert run.returncode == (1 if found else 0)
    assert report["status"] == ("disagree" if found else "agree")
    return report["apart"]["expired"], found


def test_reconcile_counts_what_has_expired_and_nothing_else(worker, double):
    days = {"COUCHBASE_EXPIRY_DAYS": "1"}
    ids = [101, 102, 103]
    send_old(worker, *ids)
    eventually(lambda: all(is_complete(worker, i) for i in ids), "the old orders are stored")
    old = len(records.read(worker.kafka, "orders"))
    assert reconcile(worker, double, **days) == (0, {})

    double.pass_days(1)
    # What no order has does not expire.
    assert double.documents() == {}
    assert reconcile(worker, double, **days) == (old, {})

    records.send(worker.kafka, [records.order(201, 400.0, "IN")])
    eventually(lambda: is_complete(worker, 201), "the young order is stored")
    assert reconcile(worker, double, **days) == (old, {})

    # Written a day ago and gone, while the order says that it is young.
    double.pass_days(1)
    expired, lost = reconcile(worker, double, **days)
    assert expired == old
    assert lost["order_without_document"] == [201]
    assert {i for orders in lost.values() for i in orders} == {201}
    # Who does not know of the expiry takes all for lost.
    expired, lost = reconcile(worker, double)
    assert expired == 0
    assert {*ids, 201} <= {*lost["order_without_document"]}
