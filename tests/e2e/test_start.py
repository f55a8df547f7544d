"""A Kafka that goes away while a worker starts is waited for, at each step of the start."""

import contextlib
import os
import queue
import re
import signal
import threading
import time

import pytest

from tests.e2e import records
from tests.e2e.between import Between
from tests.e2e.kafka import Kafka
from tests.e2e.worker import eventually, faust
from tests.ports import free_port

# Who asks (the first word of its client id), what, and the number of the request. At each step
# but these the broker hangs for a second; here it is killed, and started again.
KILLED_AT = {
    ("faust", "Metadata", 1),  # the producer connects
    ("faust", "Metadata", 2),  # the consumer connects
    ("faust", "CreateTopics", 1),  # a topic of Faust's own
    ("faust", "JoinGroup", 1),
    ("faust", "OffsetFetch", 1),
}
OFTEN = {"ApiVersions", "Heartbeat", "LeaveGroup"}


class Outages:
    """Takes a broker away once at each step of the start of one client after the other."""

    def __init__(self, kafka):
        self.kafka = kafka
        self.steps = []
        self.is_on = False
        self._counts = {}
        self._lock = threading.Lock()
        self._begun = queue.Queue()

    def seen(self, name, client_id):
        with self._lock:
            if not self.is_on or name in OFTEN:
                return
            what = client_id.split("-")[0], name
            nth = self._counts[what] = self._counts.get(what, 0) + 1
            if nth > (2 if name == "Metadata" else 1):
                return
            step = (*what, nth)
            self.steps.append(step)
            if step in KILLED_AT:
                self.kafka.kill()
            else:
                self._signal(signal.SIGSTOP)
            self._begun.put(step)

    def _signal(self, number):
        # An outage may begin before the last one has ended, and that may have killed it.
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.kafka.java.process.pid, number)

    def stop(self):
        """Begin no more, and end the one that may have begun."""
        with self._lock:
            self.is_on = False
        self.end_one(0)

    def end_one(self, seconds):
        """End the next outage, if one begins in so many seconds."""
        try:
            step = self._begun.get(timeout=seconds or None, block=seconds > 0)
        except queue.Empty:
            return False
        time.sleep(1)  # how long the broker is away
        if step in KILLED_AT:
            self.kafka.start()
        else:
            self._signal(signal.SIGCONT)
        return True


@pytest.fixture
def outages(tmp_path):
    kafka = Kafka(tmp_path / "kafka-server")
    outages = Outages(kafka)
    with Between(kafka.port, outages.seen) as between:
        outages.server = f"127.0.0.1:{between.port}"
        # Where the broker sends its clients.
        kafka.format({"advertised.listeners": f"PLAINTEXT://{outages.server}"})
        try:
            kafka.start()
            yield outages
        finally:
            outages.stop()
            kafka.stop()


@pytest.mark.timeout(400)
def test_a_broker_that_goes_away_at_each_step_is_waited_for(outages, start):
    outages.is_on = True
    worker = start(KAFKA_BOOTSTRAP_SERVERS=outages.server)
    statuses = set()

    def ready():
        assert worker.process.poll() is None, worker.log[-5000:]
        has_ended = outages.end_one(0.2)
        status = worker.get("/readyz", 5)[0]
        statuses.add(status)
        return status == 200 and not has_ended

    eventually(ready, "the worker is ready", 240)
    outages.stop()
    assert statuses <= {0, 200, 503}

    asked = {(who, name) for who, name, _ in outages.steps}
    assert {("faust", "JoinGroup"), ("faust", "OffsetFetch"), ("faust", "Fetch")} <= asked
    assert "Traceback" not in worker.log
    records.send(outages.server, [records.order(770_000_001)])
    eventually(lambda: worker.paid_order(770_000_001), "the order is paid")


def test_a_command_says_in_one_line_that_the_broker_has_gone(tmp_path, outages):
    outages.is_on = True
    over = threading.Event()

    def end_all():
        while not over.is_set():
            outages.end_one(0.2)

    ending = threading.Thread(target=end_all)
    ending.start()
    order = '{"order_id":1,"customer_id":1000,"amount":1,"country":"US"}'
    sent = faust(
        tmp_path / "data", "send", "orders", order, KAFKA_BOOTSTRAP_SERVERS=outages.server
    )
    over.set()
    ending.join()

    assert ("faust", "Metadata", 1) in outages.steps
    assert sent.returncode == 1
    assert "Traceback" not in sent.stderr
    assert "Kafka does not answer" in sent.stderr.splitlines()[-1]


def test_a_worker_whose_settings_lead_nowhere_is_unhealthy_when_it_is_told_to_be(start):
    nowhere = f"127.0.0.1:{free_port()}"
    worker = start(KAFKA_BOOTSTRAP_SERVERS=nowhere, ORDERAPP_READY_SECONDS="5")

    answer = eventually(
        lambda: (got := worker.get("/healthz"))[0] == 503 and got[1], "it is not alive"
    )

    assert answer["status"] == "stalled"
    told = r"never ready for (\d+) s: Kafka is not reachable yet"
    assert int(re.fullmatch(told, answer["reason"])[1]) >= 5, "not before"
    assert worker.terminate() == 0
