"""`faust -A orderapp doctor` says what is there and what is not, and changes nothing."""

import json
import socket

import pytest

from orderapp.engine.embedded import jars
from tests.e2e.worker import faust
from tests.ports import free_port


def doctor(data_dir, **settings):
    """The exit status, and the state and text of what was found, by what it is about."""
    done = faust(data_dir, "doctor", "--json", **settings)
    assert done.stderr == ""
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return done.returncode, {one["what"]: (one["state"], one["text"]) for one in found}


@pytest.fixture
def web():
    """Nobody listens at the default port, or somebody who is no worker."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", 6066))
        except OSError:  # somebody is there anyway
            yield
            return
        listener.listen()
        yield


def test_before_the_first_start_all_is_well_and_nothing_is_made(tmp_path):
    status, found = doctor(tmp_path / "data")

    assert status == 0
    assert {"program", "data", "web", "java", "jars", "kafka", "store"} == found.keys()
    assert "failed" not in {state for state, _ in found.values()}
    assert found["kafka"] == ("ok", "the embedded one does not run; a worker starts it")
    assert found["store"][1] == f"a worker makes {tmp_path / 'data' / 'orders.db'}"
    assert found["java"][1].startswith("openjdk version")
    assert not (tmp_path / "data").exists()


def test_jars_that_will_be_fetched_are_counted(tmp_path):
    _, found = doctor(tmp_path / "data", M2_REPO=str(tmp_path / "empty"))

    count = len(jars.read_lock())
    assert found["jars"][0] == "note"
    assert found["jars"][1].startswith(f"{count} of {count} are fetched by the first worker")
    assert not (tmp_path / "empty").exists()


def test_a_running_pipeline_is_found(pipeline, web):
    status, found = doctor(pipeline.data_dir)

    assert status == 0
    assert found["kafka"] == ("ok", f"{pipeline.kafka} answers")
    assert found["topics"] == ("ok", "all 8 are there")
    assert found["store"] == ("ok", f"{pipeline.data_dir / 'orders.db'} answers")
    assert found["web"][0] == "note"
    assert "can't listen on 127.0.0.1 port 6066" in found["web"][1]


def test_each_thing_that_is_missing_is_said_with_its_reason(tmp_path):
    port = free_port()
    (tmp_path / "data").write_text("a file")
    status, found = doctor(
        tmp_path / "data",
        KAFKA_BOOTSTRAP_SERVERS=f"127.0.0.1:{port}",
        COUCHBASE_HOST=f"127.0.0.1:{port}",
        COUCHBASE_USERNAME="me",
        COUCHBASE_PASSWORD="hush",
        COUCHBASE_BUCKET="orders",
        ORDERAPP_PAYMENT_URL=f"http://127.0.0.1:{port}/charges",
    )

    assert status == 1
    failed = {what: text for what, (state, text) in found.items() if state == "failed"}
    assert failed.keys() == {"data", "kafka", "store", "gateway"}
    assert "ORDERAPP_DATA_DIR names another directory" in failed["data"]
    assert failed["kafka"].startswith(f"Kafka is not reachable (127.0.0.1:{port}: ")
    assert f"127.0.0.1:{port} is closed" in failed["store"]
    assert failed["gateway"].startswith(f"http://127.0.0.1:{port}/charges can't be reached: ")
    assert "hush" not in str(found)


def test_a_worker_that_sends_orders_alone_needs_neither_store_nor_gateway(tmp_path):
    _, found = doctor(
        tmp_path / "data",
        ORDERAPP_SERVICES="producer",
        ORDERAPP_PAYMENT_URL="http://127.0.0.1:9/charges",
    )

    assert "store" not in found
    assert "gateway" not in found
