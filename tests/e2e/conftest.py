"""Real workers and brokers, in temporary directories and on free ports."""

from contextlib import ExitStack, contextmanager

import psutil
import pytest

from orderapp.engine.private import DIRECTORY
from tests.conftest import SHARING
from tests.e2e.kafka import plain_kafka
from tests.e2e.pool import Pool
from tests.e2e.worker import eventually, workers


@pytest.fixture(scope="package")
def pool(tmp_path_factory):
    """The brokers that tests of this process use one after the other."""
    pool = Pool(lambda: tmp_path_factory.mktemp("broker"))
    yield pool
    pool.end()


@pytest.fixture
def empty_kafka(pool):
    """A running Kafka that has nothing in it."""
    with pool.lend() as broker:
        yield broker()


@pytest.fixture(scope="module")
def kafka(pool):
    """The same, for all tests of a file, which take topics of their own."""
    with pool.lend() as broker:
        yield broker()


@pytest.fixture
def own_kafka(tmp_path):
    """For a test that kills it."""
    with plain_kafka(tmp_path) as running:
        yield running


@pytest.fixture
def start(tmp_path, pool):
    """Starts workers that share a data directory of the test's own. Its embedded Kafka runs
    already, is empty, and goes on when they have ended."""
    data_dir = tmp_path / "data"
    with pool.lend() as broker, _told(tmp_path), workers(data_dir) as factory:

        def begin(app="orderapp", **settings):
            link = data_dir / "kafka"
            if "KAFKA_BOOTSTRAP_SERVERS" not in settings and not link.exists():
                data_dir.mkdir(DIRECTORY, exist_ok=True)
                link.symlink_to(broker().directory)
            return factory(app, **settings)

        yield begin


@pytest.fixture
def start_alone(tmp_path):
    """The same, but the first worker starts the embedded Kafka, and it ends with the last."""
    with _told(tmp_path), workers(tmp_path / "data") as factory:
        yield factory


@contextmanager
def _told(tmp_path):
    """The end of each log, when all is over: pytest shows it beside a failure."""
    yield
    for log in sorted(tmp_path.glob("worker-*.log")):
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
