"""The double itself: that it refuses what a server refuses."""

import base64
import hashlib
import hmac

import msgspec
import pytest

from orderapp.store.couchbase import statements
from tests.couchbase_double import couchbase_double
from tests.couchbase_double.collation import rank
from tests.couchbase_double.planner import Scan
from tests.couchbase_double.query import Queries, QueryError
from tests.couchbase_double.scram import HASHES, Scram, plain_is_right

ORDERS = {
    b"1": b'{"type":"order","order_id":1,"created_at":"a"}',
    b"2": b'{"type":"order","order_id":2,"created_at":"b"}',
    b"3": b'{"type":"payment","order_id":3,"created_at":"c"}',
    b"4": b'{"type":"order","order_id":4}',
}
INDEX = 'CREATE INDEX `i` ON `orders` (created_at DESC, order_id DESC) WHERE type = "order"'
LATEST = (
    'SELECT b.order_id, b.amount FROM `orders` AS b WHERE b.type = "order" '
    "AND b.created_at IS NOT MISSING ORDER BY b.created_at DESC, b.order_id DESC LIMIT $count"
)
#: Of every parameter that a statement may have.
VALUES = {
    "$count": 1, "$at": "b", "$id": 1, "$country": "US", "$after": 0,
    "$customer": 1234, "$trace": "4bf9", "$type": "order", "$start": 0, "$end": 1,
    "$entries": 1,
}  # fmt: skip


def proof(mechanism, password, client_first, server_first):
    """The client's side of RFC 5802."""
    name = HASHES[mechanism]
    fields = dict(field.split(b"=", 1) for field in server_first.split(b","))
    salt, rounds = base64.b64decode(fields[b"s"]), int(fields[b"i"])
    salted = hashlib.pbkdf2_hmac(name, password, salt, rounds)
    key = hmac.digest(salted, b"Client Key", name)
    final = b"c=biws,r=" + fields[b"r"]
    signed = b",".join((client_first, server_first, final))
    signature = hmac.digest(hashlib.new(name, key).digest(), signed, name)
    mixed = bytes(a ^ b for a, b in zip(key, signature, strict=True))
    return final + b",p=" + base64.b64encode(mixed)


@pytest.mark.parametrize("mechanism", HASHES)
@pytest.mark.parametrize(
    ("username", "password", "is_right"),
    [(b"user", b"wrong", False), (b"nobody", b"secret", False), (b"user", b"secret", True)],
)
def test_scram_checks_username_and_password(mechanism, username, password, is_right):
    scram = Scram(mechanism, "user", "secret")
    first = b"n=%s,r=abc" % username
    answer = scram.first(b"n,," + first)

    final = scram.final(proof(mechanism, password, first, answer))
    assert is_right == (final is not None)


@pytest.mark.parametrize(
    ("message", "is_right"),
    [
        (b"\0user\0wrong", False),
        (b"\0x\0secret", False),
        (b"", False),
        (b"\0user\0secret", True),
    ],
)
def test_plain_checks_username_and_password(message, is_right):
    assert is_right == plain_is_right(message, "user", "secret")


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("SELECT 1", 3000),
        ("UPSERT INTO `orders` VALUES (1, 2)", 3000),
        (LATEST.replace("LIMIT", "LIMITS"), 3000),
        (LATEST.replace("`orders`", "`others`"), 12003),
        (LATEST.replace("$count", "$other"), 5010),
        (INDEX, 4300),
        (INDEX.replace("`i`", "`j`") + ' WITH {"num_replica": 1}', 5000),
        (LATEST.replace('"order"', '"payment"'), 4000),
    ],
)
def test_wrong_statement_is_an_error(statement, code):
    queries = Queries("orders", lambda: ORDERS)
    queries.answer({"statement": INDEX})

    with pytest.raises(QueryError) as error:
        queries.answer({"statement": statement, "$count": 10})
    assert code == error.value.code


@pytest.mark.parametrize("statement", statements.ALL, ids=lambda s: s.needs)
def test_statement_is_answered_by_its_own_index_and_by_no_other_program_s(statement):
    queries = Queries("orders", lambda: ORDERS)
    asked = {"statement": statement.text.format("`orders`"), **VALUES}
    with pytest.raises(QueryError, match="No index"):
        queries.answer(asked)
    for name in statements.INDEXES:
        queries.answer({"statement": statements.create(name).format("`orders`")})
    queries.answer({"statement": "CREATE INDEX `z` ON `orders` (type, amount)"})

    queries.answer(asked)
    assert queries.scans[-1].index == statement.needs


@pytest.mark.parametrize("state", ["building", "deferred", None])
def test_index_that_is_not_online_is_silently_replaced_by_one_that_reads_every_document(state):
    documents = {b"%d" % i: b'{"type":"order","created_at":"a"}' for i in range(100)}
    queries = Queries("orders", lambda: documents)
    queries.answer({"statement": INDEX})
    queries.answer({"statement": "CREATE INDEX `theirs` ON `orders` (type, status)"})
    rows = queries.answer({"statement": LATEST, "$count": 10})
    assert queries.scans[-1] == Scan("i", 10, 10)

    if state:
        queries.indexes["i"].state = state
    else:
        del queries.indexes["i"]
    assert len(rows) == len(queries.answer({"statement": LATEST, "$count": 10}))
    assert queries.scans[-1] == Scan("theirs", 100, 100)


def test_limit_does_not_reach_an_index_beside_one_that_begins_with_another_key():
    documents = {b"%d" % i: b'{"type":"order","order_id":%d}' % i for i in range(100)}
    queries = Queries("orders", lambda: documents)
    queries.answer({"statement": "CREATE INDEX `own` ON `orders` (type, order_id)"})
    asked = (
        "SELECT b.amount FROM `orders` AS b{} "
        'WHERE b.type = "order" AND b.order_id > $after ORDER BY b.order_id LIMIT 5'
    )
    hint = " USE INDEX (`own` USING GSI)"
    found = []
    for theirs in (False, True):
        if theirs:
            create = "CREATE INDEX `theirs` ON `orders` (order_id, created_at)"
            queries.answer({"statement": create})
        for text in (asked.format(""), asked.format(hint)):
            queries.answer({"statement": text, "$after": 9})
            found.append((queries.scans[-1].index, queries.scans[-1].entries))

    assert found == [("own", 5), ("own", 5), ("own", 90), ("own", 5)]


@pytest.mark.parametrize("text", [INDEX, INDEX.replace("`i`", "`i` IF NOT EXISTS")])
def test_right_to_create_is_looked_at_before_the_index(text):
    queries = Queries("orders", lambda: ORDERS)
    queries.answer({"statement": INDEX})
    queries.roles = frozenset({"query_select"})

    with pytest.raises(QueryError, match="Add role query_manage_index") as error:
        queries.answer({"statement": text})
    assert error.value.code == 13014
    assert queries.answer({"statement": LATEST, "$count": 10})


def test_catalog_shows_the_indexes_of_what_one_may_read():
    queries = Queries("orders", lambda: ORDERS)
    queries.answer({"statement": INDEX + ' WITH {"defer_build": true}'})
    look = {"statement": "SELECT i.name, i.state FROM system:indexes AS i"}
    assert queries.answer(look) == [b'{"name":"i","state":"deferred"}']

    queries.answer({"statement": "BUILD INDEX ON `orders`(`i`)"})
    assert queries.answer(look) == [b'{"name":"i","state":"online"}']
    queries.roles = frozenset()
    assert queries.answer(look) == []


@pytest.mark.parametrize("statement", [s for s in statements.ALL if "$" in s.text])
def test_statement_needs_its_parameters(statement):
    queries = Queries("orders", dict)
    queries.answer({"statement": statements.create(statement.needs).format("`orders`")})
    with pytest.raises(QueryError, match="No value for named parameter"):
        queries.answer({"statement": statement.text.format("`orders`")})


def test_query_without_an_index_is_an_error():
    with pytest.raises(QueryError, match="No index"):
        Queries("orders", lambda: ORDERS).answer({"statement": LATEST, "$count": 10})


@pytest.mark.parametrize(("limit", "ids"), [(0, []), (1, [b"2"]), (10, [b"2", b"1"])])
def test_query_filters_sorts_and_limits(limit, ids):
    queries = Queries("orders", lambda: ORDERS)
    queries.answer({"statement": INDEX})

    rows = queries.answer({"statement": LATEST, "$count": limit})
    assert [b'{"order_id":%s}' % i for i in ids] == rows


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("META(b).id", b'"7"'),
        ("META().id", b'"7"'),
        ("TO_STRING(b.order_id)", b'"7"'),
        ("TO_STRING(b.half)", b'"0.5"'),
        ("TO_STRING(b.whole)", b'"2"'),
        ("TO_STRING(b.list)", b"null"),
        ("TO_STRING(b.nothing)", None),
        ('b.type || "::" || TO_STRING(b.order_id)', b'"order::7"'),
        ("b.type || b.order_id", b"null"),
        ("b.type || b.nothing", None),
        ('CASE b.type WHEN "x" THEN 1 WHEN "order" THEN 2 ELSE 3 END', b"2"),
        ('CASE b.type WHEN "x" THEN 1 END', b"null"),
        ("CASE b.type WHEN b.nothing THEN 1 ELSE MISSING END", None),
    ],
)
def test_expressions_have_the_values_of_sql(expression, value):
    document = b'{"type":"order","order_id":7,"half":0.5,"whole":2.0,"list":[1]}'
    queries = Queries("orders", lambda: {b"7": document})
    queries.answer({"statement": "CREATE INDEX `i` ON `orders` (type)"})
    text = f'SELECT RAW {expression} FROM `orders` AS b WHERE b.type = "order"'

    assert queries.answer({"statement": text}) == ([] if value is None else [value])


def test_index_of_an_expression_serves_the_same_expression_and_has_no_missing_ones():
    queries = Queries("orders", lambda: ORDERS)
    key = 'CASE META({}).id WHEN "2" THEN {}type ELSE MISSING END'
    create = f"CREATE INDEX `i` ON `orders` ({key.format('', '')}, created_at)"
    queries.answer({"statement": create})
    select = "SELECT RAW META(b).id FROM `orders` AS b WHERE {} IS NOT MISSING"
    found = queries.answer({"statement": select.format(key.format("b", "b."))})

    assert found == [b'"2"']
    assert queries.scans[-1] == Scan("i", 1, 0)
    with pytest.raises(QueryError, match="No index"):
        queries.answer({"statement": select.format(key.format("b", "b.").replace("2", "3"))})


def test_values_of_any_type_have_an_order():
    values = [msgspec.UNSET, None, False, True, -1, 2.5, 2**60, "", "2", "a", [1], {"a": 1}]

    assert [rank(value) for value in values] == sorted(rank(value) for value in values)


def test_double_ends_with_its_input():
    with couchbase_double("--fail-sets", "TEMPFAIL:3", "--delay", "0.01") as double:
        assert double.count() == 0
        process = double.process

    assert process.returncode == 0
