"""Real workers and brokers, in temporary directories and on free ports."""

from contextlib import ExitStack

import psutil
import pytest

from tests.conftest import SHARING
from tests.e2e.kafka import plain_kafka
from tests.e2e.worker import eventually, workers


@pytest.fixture
def own_kafka(tmp_path):
    with plain_kafka(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def kafka(tmp_path_factory):
    """One for all tests of a file, which take topics of their own."""
    with plain_kafka(tmp_path_factory.mktemp("kafka")) as running:
        yield running


@pytest.fixture
def start(tmp_path):
    """Starts workers that share a data directory of the test's own."""
    with workers(tmp_path / "data") as factory:
        yield factory
    for log in sorted(tmp_path.glob("worker-*.log")):
        # pytest shows it beside a failure.
        print(f"{log.name}, its end:\n{log.read_text(errors='replace')[-5000:]}")


class _Pipeline:
    """One worker for all files that ask for it, and no longer."""

    def __init__(self):
        self._running = None
        self._ends = ExitStack()

    def worker(self, tmp_path_factory):
        if self._running is None:
            directory = tmp_path_factory.mktemp("pipeline") / "data"
            factory = self._ends.enter_context(workers(directory))
            # Where the machine pauses no session ends: what is under way would be done twice.
            settings = {"ORDERAPP_PAYMENT_DELAY": "0.1", "ORDERAPP_SESSION_TIMEOUT": "60"}
            self._running = factory(**settings).wait_ready()
        return self._running

    def end(self):
        self._running = None
        self._ends.close()


_pipeline = _Pipeline()


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    """One worker with all services, the embedded broker and SQLite, for tests that only
    send orders of their own and look at what becomes of them."""
    return _pipeline.worker(tmp_path_factory)


def pytest_runtest_setup(item):
    # The files that share it come first (tests/conftest.py).
    if item.path not in item.config.stash[SHARING]:
        _pipeline.end()


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left(tmp_path_factory):
    """After all tests no process that works in their directories is there: no worker, launcher
    or broker, however its parent ended."""
    yield
    _pipeline.end()
    base = str(tmp_path_factory.getbasetemp())

    def left():
        commands = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
        return [c for c in commands if c and any(base in part for part in c)]

    eventually(lambda: not left(), f"no process works in {base}")
