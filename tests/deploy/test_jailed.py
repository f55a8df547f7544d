"""The image's promises, kept without Docker: number 1, not root, read-only, and a quick end."""

import json
import time
from contextlib import closing
from pathlib import Path

import pytest

from orderapp.engine.embedded import jars
from tests.deploy import known
from tests.deploy.hcl import Configuration
from tests.deploy.jail import Jail, why_not
from tests.e2e.worker import eventually

ORDER = {"order_id": 123, "customer_id": 1234, "amount": 350, "country": "DE"}
FETCH = """
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", 6066, timeout=60)
connection.request("GET", sys.argv[1])
print(connection.getresponse().read().decode())
"""


@pytest.fixture(scope="module", autouse=True)
def namespaces():
    if reason := why_not():
        pytest.skip(f"no container without Docker: {reason}")


@pytest.fixture(scope="module")
def jail(embedded, tmp_path_factory):
    """The embedded image with all services, running; without a network."""
    jars.classpath(time.sleep)  # what the image's build does
    directory = tmp_path_factory.mktemp("jail")
    made = Jail("embedded", embedded, directory, M2_REPO=jars.maven_repository())
    with closing(made) as running:
        running.start(ORDERAPP_ORDER_INTERVAL="3600")
        yield running


@pytest.fixture(scope="module")
def ready(jail):
    eventually(lambda: fetch(jail, "/readyz") == {"status": "ok"}, jail.log, 120)
    return jail


def fetch(jail, path):
    assert jail.process.poll() is None, jail.log
    answer = jail.run("python", "-IS", "-c", FETCH, path)
    return json.loads(answer.stdout) if answer.returncode == 0 else None


# In this order: the last test ends what the others look at.


def test_the_trace_runs_with_nothing_to_write_to_but_the_data_directory(ready):
    sent = ready.run(
        *("faust", "-A", "orderapp", "send", "orders", json.dumps(ORDER), "--key", "123"),
        *("--value-type", "Order"),
    )
    assert sent.returncode == 0, sent.stderr

    def stored():
        order = (fetch(ready, "/api/orders/123") or {}).get("order")
        return order and order["payment"] and order["alerts"] and order

    order = eventually(stored, "order 123 is paid and has its alert")
    assert order["payment"]["status"] == "PAID"
    assert order["amount"] == 350


def test_a_command_runs_by_the_entry_point_that_terraform_gives_it(ready):
    task = Configuration().resource("aws_ecs_task_definition", "command")
    (container,) = task["container_definitions"]

    listed = ready.run(*container["entryPoint"], "dlq", "list", "--json")

    assert (listed.returncode, listed.stdout) == (0, ""), listed.stderr


def test_the_worker_is_number_1_and_has_no_rights(ready):
    status = dict(
        line.split(":\t", 1)
        for line in (Path(f"/proc/{ready.first.pid}/status").read_text("utf-8").splitlines())
        if ":\t" in line
    )
    assert status["NSpid"].split()[-1] == "1"
    assert set(status["Uid"].split()) == set(status["Gid"].split()) == {"10001"}
    assert status["Groups"].strip() == ""
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, name
    assert status["NoNewPrivs"] == "1"
    assert "python" in ready.first.exe()


def test_everything_but_the_data_directory_is_read_only(ready):
    mounts = Path(f"/proc/{ready.first.pid}/mountinfo").read_text("utf-8")
    writable = {
        fields[4]
        for fields in map(str.split, mounts.splitlines())
        if "rw" in fields[5].split(",")
    }
    assert {path for path in writable if not path.startswith(("/dev/", "/proc"))} == {
        known.DATA_DIR
    }
    for path in ("/tmp", "/opt", "/"):
        assert ready.run("touch", f"{path}/file").returncode != 0


def test_the_health_check_passes(ready):
    def passed():
        checked = ready.run(*ready.health_command)
        return (checked.returncode, checked.stdout) == (0, "/healthz answers with 200\n")

    eventually(passed, "the worker answers in time")


def test_it_ends_in_order_within_10_seconds_of_sigterm(ready):
    assert ready.terminate() == 0, ready.log
    assert ready.took < 10
    assert "Traceback" not in ready.log


@pytest.fixture
def hanging(production, tmp_path):
    """A container whose process number 1 is a Python that does nothing."""
    jail = Jail("production", production, tmp_path)
    jail.command = ["python", "-c", "import time; print('here', flush=True); time.sleep(600)"]
    with closing(jail):
        jail.start()
        eventually(lambda: "here" in jail.log, "it has begun")
        yield jail


def test_the_health_check_fails_while_the_worker_hangs(hanging):
    checked = hanging.run(*hanging.health_command)
    assert checked.returncode == 1
    assert "no answer on port 6066" in checked.stdout


def test_a_stop_is_heard_before_faust_listens_for_it(hanging):
    # The kernel keeps signals without a handler from process number 1.
    assert hanging.terminate() == 128 + 15


def test_a_container_that_waits_for_kafka_ends_in_order_too(production, tmp_path):
    jail = Jail("production", production, tmp_path)
    jail.start(KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9", ORDERAPP_SERVICES="payment")
    try:
        eventually(lambda: "Kafka is not reachable" in jail.log, "it waits for Kafka")
        eventually(
            lambda: jail.run(*jail.health_command).returncode == 0, "alive, though not ready"
        )
        assert jail.terminate() == 0, jail.log
        assert jail.took < 10
    finally:
        jail.close()
