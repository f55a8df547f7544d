"""How an order of a client is read, and what is said of one that is wrong."""

import json
import re
import sys

import pytest

from orderapp.web.api.new_order import NewOrder, parse
from orderapp.web.server.problems import Problem

GOOD = {"customer_id": 1234, "amount": 350.25, "country": "DE"}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"customer_id": 1000},
        {"customer_id": 9999},
        {"amount": 0},
        {"amount": 0.07},
        {"amount": 999_999.99},
        {"amount": 1_000_000},
        {"country": "D"},
        {"country": "é" * 64},
        {"country": "<b>&amp;"},
    ],
)
def test_an_order_that_is_right_is_taken_as_it_is(change):
    fields = GOOD | change

    assert parse(json.dumps(fields).encode()) == NewOrder(**fields)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"customer_id": 999}, ["customer_id"]),
        ({"customer_id": 10_000}, ["customer_id"]),
        ({"customer_id": "1234"}, ["customer_id"]),
        ({"customer_id": 1234.5}, ["customer_id"]),
        ({"customer_id": True}, ["customer_id"]),
        ({"customer_id": 10**400}, ["customer_id"]),
        ({"amount": -0.01}, ["amount"]),
        ({"amount": 1_000_000.01}, ["amount"]),
        ({"amount": 1.005}, ["amount"]),
        ({"amount": "1"}, ["amount"]),
        ({"amount": None}, ["amount"]),
        ({"country": ""}, ["country"]),
        ({"country": "x" * 65}, ["country"]),
        ({"country": 1}, ["country"]),
        ({"order_id": 1}, ["order_id"]),
        ({"": 1}, [""]),
        ({"customer_id": 1, "amount": -1, "country": ""}, ["customer_id", "amount", "country"]),
        ({"customer_id": 1, "colour": "red"}, ["customer_id", "colour"]),
    ],
)
def test_every_field_that_is_wrong_is_named(change, wrong):
    with pytest.raises(Problem) as caught:
        parse(json.dumps(GOOD | change).encode())

    assert caught.value.status == 422
    assert [error.field for error in caught.value.errors] == wrong
    assert all(error.detail for error in caught.value.errors)


def test_fields_that_are_missing_are_named():
    with pytest.raises(Problem) as caught:
        parse(b'{"amount": 1}')

    assert [error.field for error in caught.value.errors] == ["customer_id", "country"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b'{"customer_id":1234,"amount":1,"country":"DE"}x', 400),
        (b'{"customer_id":1,}', 400),
        (b'{"customer_id":1234,"amount":NaN,"country":"DE"}', 400),
        (b'{"customer_id":1234,"amount":Infinity,"country":"DE"}', 400),
        (b'{"customer_id":1234,"amount":1e999,"country":"DE"}', 422),
        (b'{"customer_id":1234,"amount":1,"country":"\xff"}', 400),
        (b'{"customer_id":1234,"amount":1,"country":"\\ud800"}', 400),
        (b"[" * 60_000, 400),
        (b'{"x":' + b"[" * 60_000, 400),
        (b"[]", 422),
        (b"null", 422),
        (b"customer_id=1234", 400),
        (b'{"customer_id":1,"customer_id":1234,"amount":1,"country":"DE"}', 422),
    ],
)
def test_what_is_no_json_is_told_from_what_is_no_order(body, status):
    with pytest.raises(Problem) as caught:
        parse(body)

    assert caught.value.status == status


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (rb'{"customer_id":1234,"amount":1,"country":"\ud800"}', r"'\ud800' is half of a"),
        (
            rb'{"customer_id":1234,"amount":1,"country":"\ude00\ud83d"}',
            r"'\ude00' is half of a",
        ),
        (
            rb'{"customer_id":1234,"amount":1,"country":"DE","\udfff":1}',
            r"'\udfff' is half of a",
        ),
        (b'{"country":"\xed\xa0\x80"}', r"'\ud800' is half of a"),
        (rb'{"country":"\\ud800"', "is not JSON"),
        (b'{"country":"\xff"}', "it is not UTF-8"),
        # From Python 3.14 on it is followed down to its end.
        (b"[" * 60_000, "truncated" if sys.version_info >= (3, 14) else "nested too deep"),
        (b'{"amount":1,"amount":2,"country":"DE","customer_id":0,"customer_id":1234}', "once"),
    ],
)
def test_the_reason_for_what_cannot_be_read_is_the_true_one(body, reason):
    with pytest.raises(Problem, match=re.escape(reason)):
        parse(body)
