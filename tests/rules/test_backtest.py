"""A rule is tried on history: what it would have raised, beside what is raised now."""

from contextlib import closing
from datetime import UTC, datetime

import pytest

from orderapp.backtest import Backtest, Counts
from orderapp.commands.rules_print import report, report_as_text, rules_as_text
from orderapp.engine import Batch
from orderapp.judging import Rules, rules
from orderapp.models import Order
from orderapp.rule import Rule
from tests.records import record

FOREVER = float("-inf"), float("inf")
NOW = datetime.now(UTC)


def large(order, limit: float = 400):
    """A large order."""
    return order.amount > limit and f"{order.amount - limit:g} too much"


def abroad(order):
    """An order from abroad."""
    return order.country != "US"


def fails(order, factor: float = 1):
    """A rule with a bug."""
    if order.order_id == 2:
        raise LookupError("\x1b[31m")
    return factor / (order.order_id - 2) > 0.4


def order(order_id, amount=10.0, country="US", at="2026-11-23T18:30:00.000000Z"):
    return Order(order_id, 1234, amount, country, at)


def batch(*orders, timestamps=None):
    times = timestamps or [0] * len(orders)
    return Batch("orders", 0, [*orders], [record(timestamp=at) for at in times])


def tried(orders, values=None, *, of=large, in_force=((large, "active"), (abroad, "active"))):
    """The backtest of a rule on these orders, beside the rules that are in force."""
    known = Rules()
    for function, state in in_force:
        known.add(Rule.of(function, state))
    made = Backtest(Rule.of(of, "off"), values or {}, known)
    made.judge(batch(*orders), *FOREVER)
    return closing(made)


@pytest.mark.parametrize(
    ("one", "limit", "counts"),
    [
        (order(1, 450), 400, Counts(raised=1, already=1, new=0, gone=0)),
        (order(1, 450), 500, Counts(raised=0, already=0, new=0, gone=1)),
        (order(1, 350), 300, Counts(raised=1, already=0, new=1, gone=0)),
        (order(1, 350, "NG"), 300, Counts(raised=1, already=1, new=0, gone=0)),
        (order(1, 450, "NG"), 500, Counts(raised=0, already=0, new=0, gone=1)),
        (order(1, 10, "NG"), 300, Counts(raised=0, already=0, new=0, gone=0)),
    ],
)
def test_what_is_raised_is_compared_with_what_is_raised_now(one, limit, counts):
    with tried([one], {"limit": limit}) as made:
        assert made.counts() == counts
        assert sum(made.by_country().get(one.country, ())) == sum(counts)


def test_a_rule_that_is_off_has_raised_nothing_before():
    with tried([order(1, 450)], in_force=[(large, "off"), (abroad, "shadow")]) as made:
        assert made.counts() == Counts(raised=1, already=0, new=1, gone=0)


def test_an_order_that_was_sent_twice_counts_once():
    with tried([order(1, 450), order(1, 450), order(1, 10)]) as made:
        assert made.records == 3
        assert made.counts().raised == 1


def test_countries_stand_by_how_much_was_found_and_hours_by_time():
    late = "2026-11-23T19:00:00.000000Z"
    orders = [order(1, 450), order(2, 450, "NG", late), order(3, 500, "NG", late)]
    with tried(orders) as made:
        assert [*made.by_country()] == ["NG", "US"]
        assert [*made.by_hour().items()] == [
            ("2026-11-23T19:00Z", Counts(2, 2, 0, 0)),
            ("2026-11-23T18:00Z", Counts(1, 1, 0, 0)),
        ]


def test_examples_are_the_latest_and_new_ones_first():
    orders = [order(1, 450), order(2, 450), order(3, 350, at="2026-11-22T00:00:00.000000Z")]
    with tried(orders, {"limit": 300}) as made:
        assert [one.order_id for one in made.examples(2)] == [3, 1]
        assert made.examples(1)[0].detail == "50 too much"


def test_only_orders_of_the_time_are_judged():
    known = Rules()
    with closing(Backtest(Rule.of(large, "off"), {}, known)) as made:
        orders = [order(number, 450) for number in range(5)]
        made.judge(batch(*orders, timestamps=[9, 10, 11, 12, 13]), 10, 12)
        assert made.records == made.counts().raised == 3


def test_a_rule_that_fails_costs_its_own_verdict_and_is_counted():
    orders = [order(number, 450) for number in (1, 2, 3, 4)]
    with tried(orders, of=fails) as made:
        assert made.candidate.failures == 1
        assert made.candidate.failure.startswith("order 2: ")
        assert made.counts().raised == 2
        text = report_as_text(report(made, {}, 10, None, NOW, unreadable=0))
    assert "1 without a verdict; the first: order 2: " in text
    assert "\x1b" not in text


def test_a_report_shows_what_comes_from_outside_in_one_line_each():
    with tried([order(1, 450, "N\nG\x1b[31m")]) as made:
        text = report_as_text(report(made, {"limit": 7.5}, 10, None, NOW, unreadable=2))

    assert text.splitlines()[:3] == [
        "LARGE limit=7.5",
        "1 orders, 1 of them raised (100.00%)",
        "2 records that are no orders",
    ]
    assert "\x1b" not in text
    assert len(text.splitlines()) == 8
    assert text.endswith("/#/orders/1")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("limit=3", {"limit": 3.0}),
        ("limit=1e3", {"limit": 1000.0}),
        ("safe_countries=NG, RU", {"safe_countries": frozenset({"NG", "RU"})}),
        ("safe_countries=", {"safe_countries": frozenset()}),
    ],
)
def test_values_are_read_as_people_write_them(text, value):
    assert rules.named("HIGH_AMOUNT_RISKY_COUNTRY").read_all([text]) == value


def test_a_list_of_numbers_is_read():
    values = rules.named("BLOCKED_CUSTOMER").read_all(["customers=1000,1001"])

    assert values == {"customers": frozenset({1000, 1001})}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (["limit"], "'limit' sets nothing: give NAME=VALUE"),
        (["limit=1", "limit=2"], "limit is set twice"),
        (["limt=1"], r"has no parameter limt; it has limit, safe_countries"),
        (["limit=nan"], "limit='nan' is not allowed"),
        (["limit=-1"], r"limit='-1' is not allowed: Expected `float` >= 0.0"),
        (["limit="], "limit='' is not allowed"),
        (["safe_countries=" + "x" * 65], "safe_countries='x.* is not allowed"),
    ],
)
def test_a_wrong_value_is_named(settings, says):
    with pytest.raises(ValueError, match=says):
        rules.named("HIGH_AMOUNT_RISKY_COUNTRY").read_all(settings)


def test_an_unknown_rule_is_named_with_those_that_there_are():
    with pytest.raises(ValueError, match="'NO_RULE'; there are BLOCKED_COUNTRY, BLOCKED_C"):
        rules.named("NO_RULE")


def test_each_rule_is_listed_with_its_state_and_values():
    text = rules_as_text([*rules.all.values()])

    assert "HIGH_AMOUNT_RISKY_COUNTRY  active  An order above the limit" in text
    assert "limit=300.0 safe_countries=CA,US" in text


def of_customer(*seconds, first=1):
    """Orders of a customer at these seconds."""
    orders = [order(first + n) for n in range(len(seconds))]
    return batch(*orders, timestamps=[second * 1000 for second in seconds])


def velocity(values, *batches, since=0, state="off"):
    known = Rules()
    known.add(
        rules.declared["CUSTOMER_VELOCITY"].changed(state, 2, {"limit": 2, "seconds": 10})
    )
    known.add(Rule.of(abroad, "active"))
    made = Backtest(known.all["CUSTOMER_VELOCITY"], values, known)
    for each in batches:
        made.judge(each, since * 1000, float("inf"))
    assert sum(made.finish(since * 1000)) > 0
    return closing(made)


def test_a_rule_with_a_window_is_tried_in_the_sequence_of_times():
    # Of two partitions, which are read one after the other.
    with velocity({}, of_customer(1, 3, 30), of_customer(2, 4, 50, first=11)) as made:
        assert made.records == 6
        assert made.counts() == Counts(raised=2, already=0, new=2, gone=0)
        assert [(one.order_id, one.detail) for one in made.examples(9)] == [
            (2, "3 orders in 10 s"),
            (12, "4 orders in 10 s"),
        ]


def test_of_the_same_moment_the_verdicts_do_not_depend_on_which_partition_is_read_first():
    one, other = of_customer(1, 1), of_customer(1, 1, first=11)
    for batches in ((one, other), (other, one)):
        with velocity({}, *batches) as made:
            assert [found.order_id for found in made.examples(9)] == [11, 12]


def test_a_rule_with_a_window_is_compared_with_itself_as_it_is_in_force():
    with velocity({"limit": 3}, of_customer(1, 2, 3, 4), state="active") as made:
        assert made.counts() == Counts(raised=1, already=1, new=0, gone=1)
    with velocity({"limit": 1}, of_customer(1, 2, 3, 4), state="active") as made:
        assert made.counts() == Counts(raised=3, already=2, new=1, gone=0)


def test_a_window_knows_the_orders_before_the_time_that_is_judged():
    with velocity({}, of_customer(1, 2, 3, 4, 30), since=4) as made:
        assert (made.records, made.counts().raised) == (2, 1)
        assert made.seconds == 10


def test_a_longer_window_than_is_allowed_is_named():
    with pytest.raises(
        ValueError, match=r"seconds='3601' is not allowed: Expected `int` <= 3600"
    ):
        rules.named("CUSTOMER_VELOCITY").read_all(["seconds=3601"])
