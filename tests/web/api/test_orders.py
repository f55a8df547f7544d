"""Stored orders: the last ones, page by page, and one with its story."""

import asyncio
import dataclasses
from datetime import UTC, datetime

import pytest
from aiokafka import TopicPartition
from msgspec.structs import replace

from orderapp import control
from orderapp.engine.dead_letters.resolutions import Resolution
from orderapp.engine.health.lag import Look, Position
from orderapp.judging import rules
from orderapp.models import format_time
from orderapp.rule import Rule
from orderapp.web.api import answers, progress
from tests.web.examples import alert, ask, dead_letter, look, order, payment, shadow

ONE = "/api/orders/{order_id}"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TIME, LATER = "2026-11-23T18:00:01.000000Z", "2026-11-23T18:00:03.000000Z"


async def test_no_orders_are_an_empty_list(client, store):
    assert await ask(client, "/api/analytics") == (200, {"status": "ok", "orders": []})


async def test_the_last_10_orders_come_newest_first(client, store):
    await store.upsert([order(n, f"2026-11-23T18:00:{n:02}.000000Z") for n in range(30)])

    _, answer = await ask(client, "/api/analytics")
    assert [order["order_id"] for order in answer["orders"]] == list(range(29, 19, -1))
    _, answer = await ask(client, "/api/analytics?limit=25")
    assert len(answer["orders"]) == 25


@pytest.mark.parametrize(
    ("documents", "status"),
    [
        ([], "stored"),
        ([alert(7)], "stored"),
        ([payment(7)], "paid"),
        ([payment(7, "DECLINED")], "declined"),
        ([dead_letter(7, "fraud")], "stored"),
        ([dead_letter(7, "fraud,payment")], "dead_letter"),
    ],
)
async def test_a_listed_order_comes_with_all_that_was_found(client, store, documents, status):
    await store.upsert([order(7), *documents])

    _, answer = await ask(client, "/api/analytics")

    (listed,) = answer["orders"]
    assert listed["order_status"] == status
    assert (listed["type"], listed["kafka_partition"], listed["kafka_offset"]) == (
        "order",
        3,
        7,
    )
    assert len(listed["alerts"]) == sum("alert" in document.id for document in documents)
    assert (listed["payment"] is not None) == any("payment::" in d.id for d in documents)
    assert (listed["dead_letter"] is not None) == any("dead" in d.id for d in documents)


async def test_pages_give_every_order_once_also_when_new_ones_come_between(client, store):
    await store.upsert([order(n, country="DE" if n % 2 else "US") for n in range(25)])
    seen, path = [], "/api/orders?limit=5&country=DE"

    _, answer = await ask(client, path)
    while answer["next"]:
        seen += [order["order_id"] for order in answer["orders"]]
        await store.upsert([order(100 + len(seen))])
        _, answer = await ask(client, f"{path}&after={answer['next']}")
    seen += [order["order_id"] for order in answer["orders"]]

    assert seen == list(range(23, 0, -2))


@pytest.mark.parametrize(
    ("status", "ids"),
    [("stored", [1]), ("paid", [3, 2]), ("declined", []), ("alert", [3]), ("dead_letter", [4])],
)
async def test_orders_can_be_listed_by_their_status(client, store, letters, status, ids):
    await store.upsert([order(n) for n in range(1, 5)])
    await store.upsert([payment(2), payment(3), alert(3), dead_letter(4, "payment")])
    letters.put(4)

    _, answer = await ask(client, f"/api/orders?status={status}")

    assert [order["order_id"] for order in answer["orders"]] == ids


@pytest.mark.parametrize(
    ("times", "ids"),
    [
        ("from=2026-11-23T18:00:07Z", [9, 8, 7]),
        ("to=2026-11-23T19:00:02%2B01:00", [1, 0]),
        ("from=2026-11-23T18:00:03Z&to=2026-11-23T18:00:05.000001Z", [5, 4, 3]),
        ("from=2026-11-23T18:00:05Z&to=2026-11-23T18:00:05Z", []),
    ],
)
async def test_orders_can_be_listed_by_their_time_in_any_zone(client, store, times, ids):
    await store.upsert([order(n, f"2026-11-23T18:00:{n:02}.000000Z") for n in range(10)])

    _, answer = await ask(client, f"/api/orders?{times}")

    assert [order["order_id"] for order in answer["orders"]] == ids
    assert answer["next"] is None


async def test_orders_can_be_listed_by_their_customer_and_their_trace(client, store):
    made = [replace(order(n), customer_id=1001 + n % 2) for n in range(4)]
    await store.upsert([*made, replace(order(9), customer_id=1001, trace_id=TRACE)])

    for query, ids in (
        ("customer_id=1001", [9, 2, 0]),
        (f"trace_id={TRACE}", [9]),
        (f"customer_id=1002&trace_id={TRACE}", []),
    ):
        _, answer = await ask(client, f"/api/orders?{query}")
        assert [one["order_id"] for one in answer["orders"]] == ids


AT = "2026-11-23T18:00:09.000+00:00"


@pytest.mark.parametrize(
    ("service", "note", "status", "told"),
    [
        ("payment", None, "dead_letter", ("open", ["payment"], None)),
        ("fraud", None, "stored", ("open", ["fraud"], None)),
        ("payment", Resolution("replayed", AT), "stored", ("replayed", [], AT)),
        ("payment", Resolution("dropped", AT), "stored", ("dropped", [], AT)),
        (
            "fraud,payment",
            Resolution("dropped", AT, "payment", 1_000, "payment"),
            "stored",
            ("open", ["fraud"], None),
        ),
        # Of another letter that lay there before the topic was made anew.
        (
            "payment",
            Resolution("dropped", AT, None, 5),
            "dead_letter",
            ("open", ["payment"], None),
        ),
    ],
)
async def test_an_order_knows_what_became_of_its_dead_letter(
    client, store, kafka, letters, service, note, status, told
):
    place = letters.put(7, service)
    if note:
        letters.note(place, note)
    await store.upsert([order(7), dead_letter(7, service)])

    found = [
        (await ask(client, "/api/analytics"))[1]["orders"][0],
        (await ask(client, "/api/orders"))[1]["orders"][0],
        (await ask(client, "/api/orders/7", route=ONE))[1]["order"],
    ]

    for one in found:
        letter = one["dead_letter"]
        assert one["order_status"] == status
        assert (letter["state"], letter["open_for"], letter["resolved_at"]) == told
        assert (letter["service"], letter["place"]) == (service, place)
    (step,) = [s["detail"] for s in found[2]["timeline"] if s["step"] == "dead_letter"]
    assert step.endswith(f"({told[0]} {AT})" if told[2] else "no answer")
    is_open = told[0] == "open"
    assert await listed(client, "dead_letter") == ([7] if is_open else [])
    assert await listed(client, "stored") == ([7] if status == "stored" else [])
    _, stats = await ask(client, "/api/stats")
    assert (stats["dead_letters"], stats["dead_letter_orders"]) == (is_open, is_open)


async def listed(client, status):
    _, answer = await ask(client, f"/api/orders?status={status}")
    return [one["order_id"] for one in answer["orders"]]


async def test_an_order_that_failed_again_is_open_until_its_last_letter_is_done(
    client, store, letters
):
    first, second = letters.put(7), letters.put(7)
    letters.note(first, Resolution("replayed", AT))
    last = replace(dead_letter(7, "payment"), kafka_offset=1)
    await store.upsert([order(7), last])
    assert await listed(client, "dead_letter") == [7]

    letters.note(second, Resolution("dropped", AT))

    assert await listed(client, "dead_letter") == []
    _, answer = await ask(client, "/api/orders?status=stored")
    assert answer["orders"][0]["dead_letter"]["state"] == "dropped"


async def test_an_earlier_letter_of_another_service_stays_open(client, store, letters):
    letters.put(7, "fraud")
    letters.note(letters.put(7), Resolution("replayed", AT))
    last = replace(dead_letter(7, "payment,fraud"), kafka_offset=1)
    await store.upsert([order(7), payment(7), last])

    _, answer = await ask(client, "/api/orders?status=dead_letter")

    (found,) = answer["orders"]
    assert (found["order_status"], found["dead_letter"]["open_for"]) == ("paid", ["fraud"])


async def test_while_kafka_is_away_what_was_known_last_is_told(client, store, letters):
    await store.upsert([order(7), dead_letter(7, "payment")])
    assert (await ask(client, "/api/orders?status=dead_letter"))[0] == 503
    assert await listed(client, "stored") == [], "it may be open"
    letters.note(letters.put(7), Resolution("dropped", AT))
    assert await listed(client, "stored") == [7]

    letters.is_away = True

    assert (await listed(client, "stored"), await listed(client, "dead_letter")) == ([7], [])
    assert (await ask(client, "/api/stats"))[1]["dead_letters"] is None


async def test_what_no_service_could_read_is_of_no_order_that_is_stored(client, store, letters):
    letters.put(7, "analytics,fraud,payment")
    letters.put(key=b"x")

    _, stats = await ask(client, "/api/stats")

    assert (stats["dead_letters"], stats["dead_letter_orders"]) == (2, 0)
    assert await listed(client, "dead_letter") == []


async def test_an_order_tells_its_whole_story(client, store, kafka):
    accepted = datetime(2026, 11, 23, 18, 0, 0, 5000, UTC)
    stamp = int(accepted.timestamp() * 1000)
    stored = order(7, kafka_timestamp=stamp, stored_at="2026-11-23T18:00:00.500000Z")
    await store.upsert([stored, alert(7), payment(7, attempts=3)])

    _, answer = await ask(client, "/api/orders/7", route=ONE)

    story = answer["order"]
    assert story["fraud"] == {"verdict": "ALERT", "reason": "HIGH_AMOUNT_RISKY_COUNTRY"}
    assert [step["step"] for step in story["timeline"]] == [
        "created",
        "accepted",
        "stored",
        "judged",
        "paid",
    ]
    assert story["timeline"][1] == {
        "step": "accepted",
        "at": format_time(accepted),
        "detail": "by Kafka, as orders[3]@7",
        "shadow": False,
    }
    assert story["timeline"][-1]["detail"] == "pay-7, 3 attempts"
    assert story["payment"]["attempt_times"] == []


@pytest.mark.parametrize(
    ("kept", "shown"),
    [
        (f"{TIME}/{LATER} {LATER}/{LATER}", [(TIME, LATER), (LATER, LATER)]),
        ("2026-11-23T18:00:01Z/2026-11-23T18:00:03+00:00", [(TIME, LATER)]),
        (f"{TIME}/{LATER} {TIME}", []),
        (f"{TIME}/yesterday", []),
        (f"{TIME}/{LATER}/{LATER}", []),
        ("/", []),
    ],
)
async def test_a_payments_attempts_have_their_times_where_they_are_known(
    client, store, kept, shown
):
    await store.upsert([order(7), payment(7, attempts=2, attempt_times=kept)])

    _, answer = await ask(client, "/api/orders/7", route=ONE)

    found = answer["order"]["payment"]["attempt_times"]
    assert found == [{"began": began, "ended": ended} for began, ended in shown]
    _, page = await ask(client, "/api/orders")
    assert "attempt_times" not in page["orders"][0]["payment"]


@pytest.mark.parametrize(
    ("template", "trace", "url"),
    [
        (None, TRACE, None),
        ("http://jaeger:16686/trace/{trace_id}?a={b}", "", None),
        ("http://jaeger/trace/{trace_id}", "../../evil", None),
        ("http://jaeger/{trace_id}?a={b}", TRACE, f"http://jaeger/{TRACE}?a={{b}}"),
    ],
)
async def test_a_trace_is_linked_to_by_its_id_alone(
    client, store, kafka, monkeypatch, template, trace, url
):
    web = dataclasses.replace(answers.settings.web, trace_url=template)
    monkeypatch.setattr(answers, "settings", dataclasses.replace(answers.settings, web=web))
    await store.upsert([order(7, trace_id=trace)])

    _, answer = await ask(client, "/api/orders/7", route=ONE)

    assert answer["order"]["trace_url"] == url


async def test_a_story_has_every_alert_with_its_rule_version_and_detail(client, store, kafka):
    odd = alert(7, reason="ODD", rule_version=2, detail="7 is odd")
    await store.upsert([order(7), odd, alert(7, rule_version=1)])

    _, answer = await ask(client, "/api/orders/7", route=ONE)

    names = ("reason", "rule_version", "detail")
    found = [tuple(one[name] for name in names) for one in answer["order"]["alerts"]]
    assert found == [("HIGH_AMOUNT_RISKY_COUNTRY", 1, ""), ("ODD", 2, "7 is odd")]
    judged = [s["detail"] for s in answer["order"]["timeline"] if s["step"] == "judged"]
    assert judged == [
        "by fraud: HIGH_AMOUNT_RISKY_COUNTRY (version 1)",
        "by fraud: ODD (version 2): 7 is odd",
    ]


async def test_what_rules_in_the_shadow_have_found_is_told_and_is_no_alert(
    client, store, kafka
):
    text = "<b>4 orders</b> in 60 s\u202e\n"
    found = [shadow(7, rule_version=2, detail=text), shadow(7, reason="ODD")]
    await store.upsert([order(7), *found, payment(7)])
    kafka.look = look(fraud=8)

    _, answer = await ask(client, "/api/orders/7", route=ONE)

    told = answer["order"]
    assert (told["fraud"]["verdict"], told["alerts"]) == ("CLEAR", [])
    names = ("type", "reason", "rule_version", "detail")
    assert [tuple(one[name] for name in names) for one in told["shadow"]] == [
        ("shadow", "CUSTOMER_VELOCITY", 2, text),
        ("shadow", "ODD", 0, ""),
    ]
    judged = [s for s in told["timeline"] if s["step"] == "judged"]
    assert [(step["detail"], step["shadow"]) for step in judged] == [
        ("by fraud: clear", False),
        (f"in the shadow, no alert: CUSTOMER_VELOCITY (version 2): {text}", True),
        ("in the shadow, no alert: ODD", True),
    ]
    assert await listed(client, "alert") == []
    _, stats = await ask(client, "/api/stats")
    assert (stats["alerts"], stats["fraud_rate"]) == (0, 0)


@pytest.mark.parametrize(
    ("said", "documents", "verdict"),
    [
        (None, [], "UNKNOWN"),
        (None, [alert(7)], "ALERT"),
        (look(fraud=7), [], "PENDING"),
        (look(fraud=8), [], "CLEAR"),
        (look(fraud=8), [dead_letter(7, "fraud")], "UNKNOWN"),
        (look(fraud=8), [dead_letter(7, "fraud"), dead_letter(7, "payment")], "UNKNOWN"),
        (look(fraud=8), [dead_letter(7, "payment")], "CLEAR"),
        # Its alert may be among those that analytics has not stored yet.
        (look(fraud=8, stored_alerts=4, alerts_end=5), [], "PENDING"),
        # It may lie behind a transaction that is open.
        (look(fraud=8, stored_alerts=4, alerts_end=4, held_back=2), [], "PENDING"),
    ],
)
async def test_the_verdict_is_clear_only_when_no_alert_can_come(
    client, store, kafka, said, documents, verdict
):
    await store.upsert([order(7), *documents])
    kafka.look = said

    _, answer = await ask(client, "/api/orders/7", route=ONE)

    assert answer["order"]["fraud"]["verdict"] == verdict
    steps = [step["step"] for step in answer["order"]["timeline"]]
    assert ("judged" in steps) == (verdict in {"ALERT", "CLEAR"})


@pytest.fixture
def broken(monkeypatch):
    """A function that puts a rule in force that can't judge order 7."""

    def fails(order):
        """Not order 7."""
        return 1 / (order.order_id - 7) > 5

    def put(state):
        in_force = {**rules.all, "FAILS": Rule.of(fails, state)}
        monkeypatch.setattr(rules, "all", in_force)

    return put


async def test_an_order_that_an_active_rule_can_not_judge_is_not_clear(
    client, store, kafka, broken
):
    await store.upsert([order(7), order(6)])
    kafka.look = look(fraud=8)
    broken("active")

    told, other = [
        (await ask(client, f"/api/orders/{n}", route=ONE))[1]["order"] for n in (7, 6)
    ]

    why = "the rule FAILS could not judge it: division by zero"
    assert told["fraud"] == {"verdict": "UNKNOWN", "reason": why}
    assert judged(told) == [f"by fraud: {why}"]
    assert (other["fraud"]["verdict"], judged(other)) == ("CLEAR", ["by fraud: clear"])
    await store.upsert([alert(7)])
    _, answer = await ask(client, "/api/orders/7", route=ONE)
    assert answer["order"]["fraud"]["verdict"] == "ALERT"
    assert judged(answer["order"]) == [
        f"by fraud: {why}",
        "by fraud: HIGH_AMOUNT_RISKY_COUNTRY",
    ]


async def test_an_order_that_a_rule_with_a_window_could_not_judge_is_not_clear(
    client, store, kafka, broken
):
    text = "no <b>gap</b>"
    mark = shadow(7, reason="GAPS", detail=text, failed=True)
    await store.upsert([order(7), mark, shadow(7)])
    kafka.look = look(fraud=8)

    told = (await ask(client, "/api/orders/7", route=ONE))[1]["order"]

    why = f"the rule GAPS could not judge it: {text}"
    assert told["fraud"] == {"verdict": "UNKNOWN", "reason": why}
    in_shadow = "in the shadow, no alert: CUSTOMER_VELOCITY"
    assert judged(told) == [f"by fraud: {why}", in_shadow]
    assert [found["reason"] for found in told["shadow"]] == ["CUSTOMER_VELOCITY"]
    # Beside another that is asked again.
    broken("active")
    told = (await ask(client, "/api/orders/7", route=ONE))[1]["order"]
    both = f"the rule FAILS could not judge it: division by zero; {why}"
    assert told["fraud"]["reason"] == both


@pytest.mark.parametrize(
    ("state", "fraud", "verdict"),
    [("shadow", 8, "CLEAR"), ("off", 8, "CLEAR"), ("active", 7, "PENDING")],
)
async def test_a_rule_that_fails_counts_when_it_is_active_and_was_asked(
    client, store, kafka, broken, state, fraud, verdict
):
    await store.upsert([order(7)])
    kafka.look = look(fraud=fraud)
    broken(state)

    _, answer = await ask(client, "/api/orders/7", route=ONE)

    assert answer["order"]["fraud"]["verdict"] == verdict


async def test_the_rules_are_asked_that_were_in_force_when_the_order_came(
    client, store, kafka, broken, monkeypatch
):
    await store.upsert([order(7, kafka_timestamp=1000)])
    kafka.look = look(fraud=8)
    as_declared = rules.all
    broken("active")
    monkeypatch.setattr(control.changes, "before", [(900, {}), (1001, rules.all)])
    monkeypatch.setattr(rules, "all", as_declared)

    _, before = await ask(client, "/api/orders/7", route=ONE)
    control.changes.before[1] = (1000, rules.all)
    _, after = await ask(client, "/api/orders/7", route=ONE)

    assert before["order"]["fraud"]["verdict"] == "UNKNOWN"
    assert after["order"]["fraud"]["verdict"] == "CLEAR"


def judged(order):
    return [step["detail"] for step in order["timeline"] if step["step"] == "judged"]


async def test_what_was_clear_once_stays_clear_without_kafka(client, store, kafka):
    await store.upsert([order(7), order(9)])
    kafka.look = look(fraud=8)
    await ask(client, "/api/orders/7", route=ONE)
    kafka.look = None

    answers = [(await ask(client, f"/api/orders/{n}", route=ONE))[1] for n in (7, 9)]

    assert [a["order"]["fraud"]["verdict"] for a in answers] == ["CLEAR", "UNKNOWN"]


async def test_a_kafka_that_hangs_keeps_no_order_from_its_reader(client, store, monkeypatch):
    async def hang():
        await asyncio.sleep(60)

    monkeypatch.setattr(progress.monitor, "look", hang)
    monkeypatch.setattr(progress, "judged_until", {})
    await store.upsert([order(7)])

    (status, answer), (of_stats, stats) = await asyncio.gather(
        ask(client, "/api/orders/7", route=ONE), ask(client, "/api/stats")
    )

    assert (status, answer["order"]["fraud"]["verdict"]) == (200, "UNKNOWN")
    assert (of_stats, stats["services"]) == (200, None)


async def test_alerts_that_came_later_do_not_keep_a_verdict_open(
    client, store, kafka, monkeypatch
):
    await store.upsert([order(7)])
    kafka.look = look(fraud=20, stored_alerts=5, alerts_end=9)
    before = look(fraud=8, stored_alerts=3, alerts_end=5)
    monkeypatch.setattr("orderapp.web.api.progress.monitor.looks", [before, kafka.look])

    _, answer = await ask(client, "/api/orders/7", route=ONE)

    assert answer["order"]["fraud"]["verdict"] == "CLEAR"


def seen(fraud, windows=0, by_customer=0, stored=0, alerts=0):
    """A look: how far fraud is in `orders` and in `orders-by-customer`, which ends there, and
    analytics in `fraud-alerts`."""
    copies, found = TopicPartition("orders-by-customer", 5), TopicPartition("fraud-alerts", 1)
    at_fraud = Position("f", {TopicPartition("orders", 3): fraud, copies: windows}, 0, None)
    services = {"fraud": at_fraud, "analytics": Position("a", {found: stored}, 0, None)}
    return Look(services, {}, {copies: by_customer, found: alerts})


@pytest.mark.parametrize(
    ("looks", "until"),
    [
        ([seen(8)], 8),
        # The orders were sent on by customer, and are not judged there yet.
        ([seen(8, windows=4, by_customer=5)], 0),
        ([seen(8, windows=5, by_customer=5)], 8),
        ([seen(8, windows=4, by_customer=5), seen(20, windows=5, by_customer=9)], 8),
        ([seen(8, windows=4, by_customer=6), seen(20, windows=5, by_customer=9)], 0),
        # They are, and what was found is not stored yet.
        (
            [
                seen(8, windows=4, by_customer=5, alerts=1),
                seen(20, windows=5, by_customer=9, stored=1, alerts=2),
            ],
            0,
        ),
        (
            [
                seen(8, windows=4, by_customer=5, alerts=1),
                seen(20, windows=5, by_customer=9, stored=1, alerts=2),
                seen(30, windows=7, by_customer=11, stored=2, alerts=4),
            ],
            8,
        ),
        ([], 0),
    ],
)
def test_an_order_is_judged_when_rules_with_a_window_have_judged_it_too(looks, until):
    assert progress.judged(looks, 3) == until


async def test_an_alert_that_is_stored_while_kafka_is_asked_is_told(
    client, store, kafka, monkeypatch
):
    await store.upsert([order(7)])

    async def meanwhile():
        await store.upsert([alert(7), shadow(7)])
        return look(fraud=8)

    monkeypatch.setattr(progress, "look", meanwhile)

    _, answer = await ask(client, "/api/orders/7", route=ONE)

    assert answer["order"]["fraud"]["verdict"] == "ALERT"
    assert len(answer["order"]["shadow"]) == 1
