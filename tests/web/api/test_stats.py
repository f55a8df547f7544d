"""`GET /api/stats`: sums, rates, progress, and how often it asks the store."""

import asyncio
from dataclasses import replace

import pytest
from aiokafka import TopicPartition

from orderapp.engine.health.lag import Look, Position
from orderapp.judging import Rules
from orderapp.rule import Rule
from orderapp.store import Activity, CountryStats, Stats, StoreUnavailable
from orderapp.web.api import overview, rule_figures, stats
from orderapp.web.api.stats_answer import OtherCountries
from tests.web.examples import alert, ask, order, payment


async def test_totals_are_the_sums_over_countries(client, store, kafka):
    await store.upsert([order(n, country="DE" if n < 3 else "US") for n in range(4)])
    await store.upsert([
        payment(0, amount=0.1, country="DE"), payment(1, amount=0.2, country="DE"),
        payment(3, "DECLINED", amount=20_000, country="US"), alert(0),
    ])  # fmt: skip

    status, answer = await ask(client, "/api/stats")

    assert status == 200
    totals = [answer[name] for name in ("orders", "alerts", "paid", "declined", "revenue")]
    assert totals == [4, 1, 2, 1, 0.3]
    assert answer["fraud_rate"] == 0.25
    assert [country["country"] for country in answer["countries"]] == ["DE", "US"]
    assert (answer["services"], answer["dead_letters"]) == (None, None)


async def test_of_many_countries_the_largest_are_shown_and_the_rest_summed_up(
    client, store, kafka
):
    for number in range(130):
        name = f"country {number}"
        orders = [order(1000 * number + n, country=name) for n in range(1 + number % 3)]
        await store.upsert([*orders, payment(1000 * number, amount=0.1, country=name)])
    await store.upsert([alert(1000)])

    _, answer = await ask(client, "/api/stats")

    largest, others = answer["countries"], answer["other_countries"]
    assert (len(largest), others["number"]) == (100, 31), "and DE, which has an alert alone"
    assert min(country["orders"] for country in largest) >= 1
    assert others["orders"] == 30, "those with one order each"
    for name in ("orders", "alerts", "paid", "declined"):
        assert sum(country[name] for country in (*largest, others)) == answer[name], name
    assert (answer["orders"], answer["paid"], answer["revenue"]) == (259, 130, 13.0)
    assert round(sum(country["revenue"] for country in (*largest, others)), 2) == 13.0


@pytest.mark.parametrize("name", ["all others", ""])
def test_a_country_with_any_name_is_not_the_sum_of_others(name):
    countries = [CountryStats(f"country {n}", 5, 0, 0, 0, 0.0) for n in range(100)]
    countries += [CountryStats("small", 1, 0, 0, 0, 0.0), CountryStats(name, 9, 0, 3, 0, 7.5)]

    found = overview.overview(Stats(countries, []), None, None, 0.0)

    assert found.countries[0] == countries[-1]
    assert found.other_countries == OtherCountries(2, 6, 0, 0, 0, 0.0)


async def test_the_rules_that_are_not_off_are_counted(client, store, kafka, monkeypatch):
    def odd(order):
        """Fails for the second order."""
        return 1 / (order.order_id - 2) > 0.5

    rules = Rules()
    rules.add(Rule.of(odd, "shadow"))
    rules.add(replace(Rule.of(odd, "off"), id="OTHER"))
    monkeypatch.setattr(rule_figures, "rules", rules)
    rules.shadow([order(n) for n in (1, 2, 3)])

    _, answer = await ask(client, "/api/stats")

    (found,) = answer["rules"]
    assert found.pop("seconds") > 0
    assert found == {
        "rule": "ODD", "version": 1, "state": "shadow",
        "orders": 3, "raised": 1, "failed": 1,
    }  # fmt: skip


async def test_a_worker_without_fraud_has_counted_no_rules(client, store, kafka, monkeypatch):
    alone = replace(rule_figures.settings, services=frozenset({"web"}))
    monkeypatch.setattr(rule_figures, "settings", alone)

    _, answer = await ask(client, "/api/stats")

    assert answer["rules"] is None


async def test_without_orders_there_are_zeros(client, store, kafka):
    _, answer = await ask(client, "/api/stats")

    assert (answer["orders"], answer["fraud_rate"], answer["revenue"]) == (0, 0, 0)
    assert answer["orders_per_second"] == {"1m": 0, "5m": 0, "15m": 0}


@pytest.mark.parametrize(
    ("activity", "rates"),
    [
        ([], (0, 0, 0)),
        ([Activity(1000, 600, 0)], (0, 0, 0)),  # the span that runs
        ([Activity(990, 600, 0)], (10, 2, 0.667)),
        ([Activity(940, 60, 0), Activity(930, 240, 0)], (1, 1, 0.333)),
        ([Activity(100, 900, 0), Activity(90, 900, 0)], (0, 0, 1)),
    ],
)
def test_rates_are_over_whole_spans(activity, rates):
    assert tuple(overview.rate(activity, 1003.7, n) for n in (1, 5, 15)) == rates


def test_totals_and_rates_are_those_of_the_moment_when_the_store_counted():
    activity = [Activity(940, 60, 0), Activity(930, 240, 0)]

    counted = overview.overview(Stats([], activity, counted=1003.7), None, None, 1060.0)
    as_of_now = overview.overview(Stats([], activity), None, None, 1060.0)

    assert (counted.at, counted.orders_per_second.one) == ("1970-01-01T00:16:43.700000Z", 1.0)
    assert (as_of_now.at, as_of_now.orders_per_second.one) == (
        "1970-01-01T00:17:40.000000Z",
        0.0,
    )


async def test_progress_is_shown_for_each_service(client, store, kafka, letters):
    letters.put()
    kafka.look = Look(
        {
            "fraud": Position("fraud-group", {}, 12, 98_500),
            "payment": Position("orderapp", {}, 0, None),
            "analytics": None,
        },
        ends={},
        high={},
        opened={
            TopicPartition("orders", 0): 99_000,
            TopicPartition("orders", 3): 95_500,
            TopicPartition("payments", 3): 101_000,  # by a clock that is ahead
        },
        at=100.0,
    )

    _, answer = await ask(client, "/api/stats")

    assert answer["services"] == {
        "fraud": {"group": "fraud-group", "lag": 12, "oldest_seconds": 1.5},
        "payment": {"group": "orderapp", "lag": 0, "oldest_seconds": None},
        "analytics": {"group": None, "lag": None, "oldest_seconds": None},
    }
    assert answer["open_transactions"] == {"orders": 4.5, "payments": 0.0}
    assert answer["dead_letters"] == 1


async def test_many_clients_cost_one_read(client, store, kafka, monkeypatch):
    reads, ask_store = [], store.stats

    async def counted(since):
        reads.append(since)
        return await ask_store(since)

    monkeypatch.setattr(store, "stats", counted)

    await asyncio.gather(*(ask(client, "/api/stats") for _ in range(50)))
    assert len(reads) == 1

    monkeypatch.setattr(stats.shared, "_until", 0.0)
    await ask(client, "/api/stats")
    assert len(reads) == 2


async def test_an_error_is_not_kept_longer_than_an_answer(client, store, kafka, monkeypatch):
    store.fail(StoreUnavailable("away"))
    assert (await ask(client, "/api/stats"))[0] == 503

    monkeypatch.setattr(stats.shared, "_until", 0.0)
    assert (await ask(client, "/api/stats"))[0] == 200
