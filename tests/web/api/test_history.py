"""`GET /api/history`: latency from counts of ages, and lag, minute by minute."""

import json
import sys
from dataclasses import replace
from io import StringIO

import pytest

from orderapp.engine.health.lag import Look, Position
from orderapp.engine.observe.metrics import END_TO_END
from orderapp.web.api import history
from orderapp.web.api.history import PAID, STORED, Sample, history_of, quantile
from tests.web.examples import ask

BOUNDS = END_TO_END.bounds


def counts(**by_index):
    """Records by the index of their bucket."""
    return [by_index.get(f"b{index}", 0) for index in range(len(BOUNDS) + 1)]


@pytest.mark.parametrize(
    ("found", "share", "age"),
    [
        (counts(), 0.5, None),
        (counts(b0=10), 0.5, 0.0025),
        (counts(b0=10), 0.99, 0.005),
        (counts(b1=100), 0.5, 0.0075),
        (counts(b0=99, b5=1), 0.99, 0.005),
        (counts(b0=98, b5=2), 0.99, 0.15),
        (counts(b15=5), 0.5, 1800),
    ],
)
def test_a_quantile_is_estimated_within_its_bucket(found, share, age):
    assert quantile(found, share) == (age if age is None else pytest.approx(age, abs=1e-3))


def test_latency_is_that_of_the_orders_since_the_sample_before():
    kept = [
        Sample(0.0, {STORED: counts(b0=1000)}, None),
        Sample(60.0, {STORED: counts(b0=1000, b4=10)}, {"fraud": 3}),
        Sample(120.0, {STORED: counts(b0=1000, b4=10)}, None),
    ]
    found = history_of(kept, {STORED: counts(b0=1000, b4=10, b6=10)})

    assert (found.since, found.stored.orders) == ("1970-01-01T00:00:00.000Z", 20)
    first, second = found.minutes
    assert (first.at, first.lag, first.stored.orders) == (
        "1970-01-01T00:01:00.000Z", {"fraud": 3}, 10
    )  # fmt: skip
    assert 0.05 < first.stored.p50 < first.stored.p99 <= 0.1
    assert (second.stored.p50, second.stored.orders) == (None, 0)
    assert found.paid is None, "this worker pays nothing"


def test_a_service_that_began_to_count_later_has_counted_from_zero():
    found = history_of([Sample(0.0, {}, None)], {PAID: counts(b2=7)})

    assert found.paid.orders == 7


async def test_samples_hold_an_hour_and_what_kafka_says_of_the_lag(client, kafka, monkeypatch):
    samples = history.Samples()
    monkeypatch.setattr(history, "samples", samples)
    assert (await ask(client, "/api/history"))[1]["minutes"] == []
    await samples.on_start()
    await samples.take()
    kafka.look = Look({"fraud": Position("g", {}, 7, None), "payment": None}, {}, {})
    for _ in range(70):
        await samples.take()

    status, answer = await ask(client, "/api/history")

    assert (status, len(answer["minutes"])) == (200, 60)
    assert answer["minutes"][-1]["lag"] == {"fraud": 7, "payment": None}


@pytest.mark.parametrize("namespace", [None, "orderapp"])
async def test_the_log_has_the_lag_for_cloudwatch_where_that_is_set(
    client, kafka, monkeypatch, namespace
):
    web = replace(history.settings.web, lag_namespace=namespace)
    monkeypatch.setattr(history, "settings", replace(history.settings, web=web))
    written = StringIO()
    monkeypatch.setattr(sys, "__stdout__", written)
    position = Position("fraud-group", {}, 7, None)
    kafka.look = Look({"fraud": position, "payment": None}, {}, {}, at=1.5)

    await history.Samples().take()

    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [(line["group"], line["ConsumerLag"]) for line in lines] == (
        [("fraud-group", 7)] if namespace else []
    )
    for line in lines:
        (metric,) = line["_aws"]["CloudWatchMetrics"]
        assert (metric["Namespace"], metric["Dimensions"]) == ("orderapp", [["group"]])
