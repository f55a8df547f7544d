"""Real workers and brokers, in temporary directories and on free ports."""

import os

import psutil
import pytest

from tests.e2e.kafka import plain_kafka
from tests.e2e.worker import workers


@pytest.fixture
def own_kafka(tmp_path):
    with plain_kafka(tmp_path) as running:
        yield running


@pytest.fixture
def start(tmp_path):
    """Starts workers that share a data directory of the test's own."""
    with workers(tmp_path / "data") as factory:
        yield factory


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory):
    """One worker with all services, the embedded broker and SQLite, for tests that only
    send orders of their own and look at what becomes of them."""
    with workers(tmp_path_factory.mktemp("pipeline") / "data") as factory:
        yield factory(ORDERAPP_PAYMENT_DELAY="0.1").wait_ready()


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left():
    """After all tests no process that they started is there, however its parent ended."""
    mark = f"orderapp-tests-{os.getpid()}"
    os.environ["ORDERAPP_TEST_RUN"] = mark
    yield
    left = [process.cmdline() for process in psutil.Process().children(recursive=True)]
    assert [command for command in left if "faust" in " ".join(command)] == []
