"""`/metrics` of real workers: what is counted when orders flow, fail and wait."""

import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from tests.e2e import records
from tests.e2e.worker import eventually
from tests.observability import names


class Scrape:
    """The metrics of a worker at one moment."""

    def __init__(self, worker):
        url = f"http://127.0.0.1:{worker.port}/metrics"
        with urllib.request.urlopen(url, timeout=60) as answer:
            self.families = [*text_string_to_metric_families(answer.read().decode())]
        self.samples = [sample for family in self.families for sample in family.samples]

    def __call__(self, name, **labels):
        """The sum of the samples of this name that have these labels."""
        return sum(
            sample.value
            for sample in self.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def names(self):
        """All names that a sample could have, also of metrics that have none yet."""
        ends = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
        return {
            family.name + end
            for family in self.families
            for end in ends.get(family.type, ("",))
        }


def test_what_rules_and_dashboard_ask_for_is_there(pipeline):
    existing = Scrape(pipeline).names()

    for place, expression in names.expressions().items():
        missing = set(names.used(expression)) - existing - names.OF_PROMETHEUS
        assert not missing, place


def test_orders_are_counted_on_their_way(pipeline):
    records.wait_done(pipeline.kafka)  # what other tests have sent
    before = Scrape(pipeline)
    risky = [records.order(650_000_000 + n, 350.0, "DE") for n in range(20)]
    safe = [records.order(650_001_000 + n, 10.0, "US") for n in range(30)]
    records.send(pipeline.kafka, [*risky, *safe])

    def rise(name, **labels):
        return Scrape(pipeline)(name, **labels) - before(name, **labels)

    orders = {"topic": "orders", "result": "done"}

    def done():
        everything = rise("orderapp_records_total", service="analytics", result="done")
        return everything >= 50 + 50 + 20 and all(
            rise("orderapp_records_total", service=service, **orders) >= 50
            for service in ("fraud", "payment")
        )

    eventually(done, "orders are judged and paid, and all is stored")
    for service in ("fraud", "payment", "analytics"):
        assert rise("orderapp_records_total", service=service, **orders) == 50
        where = {"service": service, "topic": "orders"}
        assert rise("orderapp_end_to_end_seconds_count", **where) == 50
        assert 0 < rise("orderapp_end_to_end_seconds_sum", **where) < 50 * 30
    assert rise("orderapp_fraud_verdicts_total", verdict="alert") == 20
    assert rise("orderapp_fraud_verdicts_total", verdict="clear") == 30
    assert rise("orderapp_payments_total", status="PAID") == 50
    assert round(rise("orderapp_revenue_total"), 2) == 20 * 350.0 + 30 * 10.0
    assert rise("orderapp_store_seconds_count", operation="upsert", result="ok") >= 1
    assert rise("orderapp_store_documents_sum") == 50 + 50 + 20
    for topic in ("fraud-alerts", "payments"):
        assert rise("orderapp_send_seconds_count", topic=topic) >= 1
    threads = {"MainThread", "consumer", "sqlite-write_0", "sqlite-read_0"}
    used = "orderapp_thread_cpu_seconds_total"
    assert threads <= {s.labels["thread"] for s in Scrape(pipeline).samples if s.name == used}


def test_what_is_no_order_is_counted_for_every_service_that_gave_it_up(pipeline):
    records.wait_done(pipeline.kafka)  # what other tests have sent
    before = Scrape(pipeline)
    records.send(pipeline.kafka, [(b"651000000", b"no order")])

    def dead():
        now, dead = Scrape(pipeline), {"topic": "orders", "result": "dead_letter"}
        rises = [
            now("orderapp_records_total", service=service, **dead)
            - before("orderapp_records_total", service=service, **dead)
            for service in ("fraud", "payment", "analytics")
        ]
        return rises == [1, 1, 1]

    eventually(dead, "each service has given it up")
    labels = {"service": "analytics,fraud,payment", "error_class": "DecodeError"}
    name = "orderapp_dead_letters_total"
    eventually(lambda: Scrape(pipeline)(name, **labels) > before(name, **labels), "it is sent")


def test_when_all_is_done_nothing_lags_or_waits(pipeline):
    records.send(pipeline.kafka, [records.order(652_000_000 + n) for n in range(100)])

    def quiet():
        now = Scrape(pipeline)
        lags = [s for s in now.samples if s.name == "orderapp_consumer_lag_records"]
        assert {sample.labels["group"] for sample in lags} == {"orderapp"}
        return (
            len(lags) >= 18
            and now("orderapp_records_total", service="payment", topic="orders") >= 100
            and not any(sample.value for sample in lags)
            and now("orderapp_oldest_waiting_seconds") == 0
            and now("orderapp_commit_age_seconds") == 0
            and now("orderapp_held_batches") == now("orderapp_held_bytes") == 0
            and now("orderapp_kafka_up") == 1
        )

    eventually(quiet, "lag and ages are 0")


def test_a_store_that_refuses_shows_in_its_service_and_in_no_other(start):
    worker = start(ORDERAPP_FAULT_STORE_REFUSE="1", ORDERAPP_PAYMENT_DELAY="0").wait_ready()
    records.send(worker.kafka, [records.order(653_000_000 + n) for n in range(30)])

    def behind():
        now = Scrape(worker)
        where = {"topic": "orders"}
        return (
            now("orderapp_oldest_waiting_seconds", service="analytics", **where) > 3
            and now("orderapp_oldest_waiting_seconds", service="fraud", **where) == 0
            and now("orderapp_oldest_waiting_seconds", service="payment", **where) == 0
            and now("orderapp_retries_total", service="analytics") > 3
            and now("orderapp_retries_total", service="fraud") == 0
            and now("orderapp_commit_age_seconds") > 3
            and now("orderapp_held_up_batches") > 0
            and now("orderapp_consumer_lag_records", **where) == 30
            and now("orderapp_store_seconds_count", operation="upsert", result="unavailable")
            > 3
        )

    eventually(behind, "analytics is behind")
    # A worker that reads nothing has metrics too, of what it is.
    other = start(ORDERAPP_SERVICES="web").wait_ready()
    now = Scrape(other)
    assert now("orderapp_worker_info", group="web-group", services="web") == 1
    assert now.names() >= names.PROCESS
