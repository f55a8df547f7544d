"""Totals that are counted slice by slice, and again where they may have changed."""

import random
from collections import Counter

import msgspec
import pytest

from orderapp.store import AlertDocument, OrderDocument, PaymentDocument
from orderapp.store.couchbase import slices, statements
from orderapp.store.couchbase import totals as module
from orderapp.store.couchbase.totals import Totals
from tests.couchbase_double.query import Queries
from tests.store.examples import alert, order, payment

TYPES = {"order": OrderDocument, "alert": AlertDocument, "payment": PaymentDocument}
NOW = 1_700_000_000.0
COST = 19e-6  # s of CPU time for each entry, as measured on Community Edition


class Moment:
    """The time, which passes by what is read."""

    def __init__(self):
        self.now = NOW

    def time(self):
        return self.now

    monotonic = time


class Client:
    """A bucket that is asked directly; each index entry takes its time."""

    def __init__(self, moment, cost=0.0):
        self.documents, self.moment, self.cost = {}, moment, cost
        self.queries = Queries("orders", lambda: self.documents)
        create = statements.create("orderapp_sums").format("`orders`")
        self.queries.answer({"statement": create})
        self.read = []

    def put(self, *documents):
        for document in documents:
            self.documents[document.id.encode()] = msgspec.json.encode(document)
            self.queries.rows.note(document.id.encode())

    def ask(self, statement, values, end):
        named = {f"${name}": value for name, value in values.items()}
        rows = self.queries.answer({"statement": statement.text.format("`orders`"), **named})
        entries = self.queries.scans[-1].entries
        self.read.append(entries)
        self.moment.now += entries * self.cost
        return [msgspec.json.decode(row) for row in rows]


@pytest.fixture
def moment(monkeypatch):
    made = Moment()
    monkeypatch.setattr(module, "time", made)
    monkeypatch.setattr(slices, "time", made)
    return made


@pytest.fixture
def client(moment):
    return Client(moment)


def stored(count, seed=0, until=NOW):
    chance = random.Random(seed)
    for number in range(count):
        at = {
            "kafka_timestamp": int((until - chance.random() * 1e6) * 1000),
            "country": chance.choice(["IN", "DE", "US"]),
        }
        yield order(number, **at)
        if number % 4 == 0:
            yield alert(number, **at)
        yield payment(number, status=chance.choice(["PAID", "DECLINED"]), amount=1.25, **at)


def counted(totals, client, since=0):
    totals.advance(client, since)
    while not totals.is_complete:
        totals.advance(client, since)
    return totals.stats(since)


def truth(documents, since=0):
    """Orders, alerts, paid, declined by country; orders and alerts by span."""
    found, spans = Counter(), Counter()
    for document in documents:
        kind = document.__struct_config__.tag
        kind = {"payment": getattr(document, "status", "").lower()}.get(kind, kind + "s")
        found[document.country, kind] += 1
        span = document.kafka_timestamp // 10_000 * 10
        if kind in ("orders", "alerts") and span >= since // 10 * 10:
            spans[span, kind] += 1
    return found, spans


def seen(stats):
    found, spans = Counter(), Counter()
    for total in stats.countries:
        for kind in ("orders", "alerts", "paid", "declined"):
            found[total.country, kind] += getattr(total, kind)
        assert total.revenue == total.paid * 1.25
    for span in stats.activity:
        spans[span.start, "orders"] += span.orders
        spans[span.start, "alerts"] += span.alerts
    return +found, +spans


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("since", [0, int(NOW) - 500_000, int(NOW) - 3600])
def test_slices_add_up_to_what_there_is(monkeypatch, client, seed, since):
    monkeypatch.setattr(module, "ENTRIES", 37)
    monkeypatch.setattr(module, "MOST", 100)
    documents = [*stored(1000, seed)]
    client.put(*documents)

    assert truth(documents, since) == seen(counted(Totals(), client, since))


@pytest.mark.parametrize("seed", range(3))
def test_they_are_those_of_the_old_statement(client, seed):
    client.put(*stored(500, seed))
    client.queries.answer(
        {"statement": "CREATE INDEX `t` ON `orders` (type, country, status, amount)"}
    )
    rows = client.queries.answer({"statement": OLD_TOTALS})
    old = {
        (row["type"], row["country"], row.get("status")): row["documents"]
        for row in map(msgspec.json.decode, rows)
    }

    new = Counter()
    for (country, column), documents in seen(counted(Totals(), client))[0].items():
        kind = {"orders": ("order", None), "alerts": ("alert", None)}.get(column)
        kind = kind or ("payment", column.upper())
        new[kind[0], country, kind[1]] = documents
    assert old == new


OLD_TOTALS = (
    "SELECT b.type, b.country, b.status, COUNT(*) AS documents, SUM(b.amount) AS amount "
    'FROM `orders` AS b WHERE b.type IN ["order", "alert", "payment"] '
    "GROUP BY b.type, b.country, b.status"
)


def test_documents_with_other_ids_than_ours_are_not_counted(client):
    documents = [*stored(100)]
    client.put(*documents)
    expected = counted(Totals(), client)
    for document in documents:
        client.documents[b"copy of %s" % document.id.encode()] = msgspec.json.encode(document)
    client.queries.rows.forget()

    assert expected == counted(Totals(), client)
    assert truth(documents) == seen(expected)


def test_many_documents_of_one_moment_are_counted(monkeypatch, client):
    monkeypatch.setattr(module, "ENTRIES", 10)
    monkeypatch.setattr(module, "FEWEST", 10)
    documents = [order(n, kafka_timestamp=5_000, country="DE") for n in range(200)]
    documents += [order(n, kafka_timestamp=n, country="DE") for n in range(300, 320)]
    client.put(*documents)

    assert truth(documents) == seen(counted(Totals(), client))


def test_a_look_takes_less_than_a_second_however_much_there_is(monkeypatch, moment):
    # 1,000 times as dear, so that few entries show what many would.
    client = Client(moment, cost=COST * 1000)
    monkeypatch.setattr(module, "ENTRIES", module.ENTRIES // 1000)
    monkeypatch.setattr(module, "FEWEST", module.FEWEST // 1000)
    documents = [*stored(1000)]
    client.put(*documents)
    totals = Totals()
    rounds = []
    while not totals.is_complete:
        began = moment.now
        totals.advance(client, int(NOW) - 3600)
        rounds.append(moment.now - began)

    assert truth(documents)[0] == seen(totals.stats(0))[0]
    assert max(client.read) * client.cost < 1.0
    assert len(rounds) > 40
    assert max(rounds) < 2.0


def test_after_the_first_count_only_what_may_have_changed_is_counted(
    monkeypatch, client, moment
):
    monkeypatch.setattr(module, "ENTRIES", 20)
    monkeypatch.setattr(module, "MOST", 20)
    client.put(*stored(1000))
    totals = Totals()
    counted(totals, client, int(NOW))
    moment.now += 5
    client.read.clear()
    new = order(9_000, kafka_timestamp=int(moment.now * 1000), country="DE")
    client.put(new)
    stats = counted(totals, client, int(NOW))

    assert sum(total.orders for total in stats.countries) == 1001
    assert sum(client.read) < 200  # of 2,250


@pytest.mark.parametrize("late", [30, 600, 7200])
def test_document_that_comes_late_is_counted_soon(monkeypatch, client, moment, late):
    monkeypatch.setattr(module, "ENTRIES", 10)
    monkeypatch.setattr(module, "MOST", 10)
    totals = Totals()
    client.put(*stored(50))
    written = NOW + late
    for step in range(80):  # as the time passes, with new orders behind it
        moment.now = NOW + step * late / 40
        client.put(order(10_000 + step, kafka_timestamp=int(moment.now * 1000), country="IN"))
        counted(totals, client, int(moment.now))
        if moment.now >= written:
            client.put(order(9_000, kafka_timestamp=int(NOW * 1000), country="late"))
            written = float("inf")
    while moment.now < NOW + late * 3 + 20:
        moment.now += max(late / 50, 1)
        totals.advance(client, int(moment.now))
        if any(total.country == "late" for total in totals.stats(0).countries):
            break

    assert moment.now - NOW < late * 2.5 + 20


def test_activity_from_earlier_on_is_counted_by_spans(client):
    documents = [*stored(100)]
    client.put(*documents)
    totals = Totals()
    counted(totals, client, int(NOW))
    counted(totals, client, int(NOW) - 500_000)

    since = int(NOW) - 500_000
    assert truth(documents, since)[1] == seen(totals.stats(since))[1]


def test_look_that_fails_changes_nothing(monkeypatch, client):
    monkeypatch.setattr(module, "ENTRIES", 50)
    documents = [*stored(300)]
    client.put(*documents)
    totals, ask, left = Totals(), client.ask, 3

    def broken(statement, values, end):
        nonlocal left
        left -= 1
        if left % 3 == 0 and statement is not statements.EDGE:
            raise RuntimeError
        return ask(statement, values, end)

    monkeypatch.setattr(client, "ask", broken)
    while not totals.is_complete:
        try:
            totals.advance(client, 0)
        except RuntimeError:
            continue

    assert truth(documents)[0] == seen(totals.stats(0))[0]
