"""`faust -A orderapp rules test` reads the history of a real broker, and sends nothing; by the
API it does the same."""

import json
import socket
import time
from datetime import UTC, datetime

import psutil

from tests.e2e import records
from tests.e2e.worker import eventually, faust

FIRST, COUNTRY = 7_210_000, "Backtestia"
#: Of 99 orders above 300, with a limit of 350.
LARGE = {"raised": 49, "already": 49, "new": 0, "gone": 50}


def backtest(worker, *arguments):
    done = faust(worker.data_dir, "rules", "test", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def of(found, country):
    """What was found of a country; other tests have sent orders too."""
    return next(one for one in found["by_country"] if one["country"] == country)


def alerts(worker):
    """How many orders of this test have an alert."""
    keys = {int(alert.key) for alert in records.read(worker.kafka, "fraud-alerts")}
    return len(keys & set(range(FIRST, FIRST + 200)))


def test_history_is_judged_anew_and_nothing_is_sent(pipeline):
    orders = [records.order(FIRST + n, 200.0 + n, COUNTRY) for n in range(200)]
    # Kafka deletes what is older than seven days.
    before = round((time.time() - 6.5 * 86_400) * 1000)
    records.send(pipeline.kafka, orders[:100], timestamp=before)
    records.send(pipeline.kafka, [*orders[100:], *orders[100:110]])
    records.send(pipeline.kafka, [(b"1", b"no order")])
    # 99 of them are above 300. Services do not wait for one another.
    eventually(lambda: alerts(pipeline) == 99, "fraud has judged them")

    of_country = ["BLOCKED_COUNTRY", "--set", f"countries={COUNTRY}", "--json"]
    everything = backtest(pipeline, *of_country)
    lately = backtest(pipeline, *of_country, "--since", "6d")
    long_ago = backtest(pipeline, *of_country, "--since", "8d", "--until", "6d")

    assert (everything["raised"], lately["raised"], long_ago["raised"]) == (200, 100, 100)
    assert everything["unreadable"] >= 1
    assert (everything["already"], everything["new"], everything["gone"]) == (99, 101, 0)
    same = {name: everything[name] for name in ("raised", "already", "new", "gone")}
    assert of(everything, COUNTRY) == {"country": COUNTRY, **same}
    assert len(everything["examples"]) == 10
    higher = backtest(pipeline, "HIGH_AMOUNT_RISKY_COUNTRY", "--set", "limit=350", "--json")
    assert of(higher, COUNTRY) == {"country": COUNTRY, **LARGE}
    assert alerts(pipeline) == 99


def test_a_time_without_orders_is_one_line(pipeline):
    done = faust(pipeline.data_dir, "rules", "test", "BLOCKED_COUNTRY", "--until", "1999-01-01")

    assert (done.returncode, done.stdout) == (1, "")
    assert (
        done.stderr
        == "orderapp: there are no orders until 1999-01-01T00:00:00.000000Z in orders\n"
    )


def test_by_the_api_a_burst_of_one_customer_is_found_as_by_the_command(pipeline):
    since = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    burst = [records.order(FIRST + 500 + n, 5.0, "Burstia", customer_id=9876) for n in range(6)]
    records.send(pipeline.kafka, burst)
    path = f"/api/rules/CUSTOMER_VELOCITY/test?set=limit%3D3&since={since}"

    def tried():
        # A machine that is too busy for the time that a test may take says so.
        status, found = pipeline.get(path)
        assert status in {200, 422}, found
        return found if status == 200 else None

    found = eventually(tried, "it is tried in time", 120)

    assert of(found, "Burstia")["raised"] == 3
    details = [one["detail"] for one in found["examples"] if one["customer_id"] == 9876]
    assert sorted(details) == [f"{n} orders in 60 s" for n in (4, 5, 6)]
    same = ["--set", "limit=3", "--since", since, "--until", found["until"], "--json"]
    worker = {"WEB_PORT": str(pipeline.port)}
    done = faust(pipeline.data_dir, "rules", "test", "CUSTOMER_VELOCITY", *same, **worker)
    assert json.loads(done.stdout) == found
    status, nothing = pipeline.get("/api/rules/CUSTOMER_VELOCITY/test?since=1s")
    assert (status, nothing["errors"][0]["field"]) == (404, "since"), nothing


def test_by_the_api_nothing_goes_on_when_its_client_has_left(pipeline):
    target = "/api/rules/CUSTOMER_VELOCITY/test"
    with socket.create_connection(("127.0.0.1", pipeline.port)) as client:
        client.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        eventually(lambda: beside(pipeline), "the command runs")
    eventually(lambda: not beside(pipeline), "it has ended")

    # The worker hears of that a little later.
    route = 'method="GET",route="/api/rules/{rule_id}/test",status="499"'
    line = f"orderapp_http_requests_total{{{route}}} 1.0"
    eventually(lambda: line in pipeline.text("/metrics"), "it was counted")


def beside(worker):
    """Whether the worker has a test run beside it."""
    for child in psutil.Process(worker.process.pid).children():
        try:
            if "CUSTOMER_VELOCITY" in child.cmdline():
                return True
        except psutil.Error:  # it has just ended
            pass
    return False
