"""What an answer over HTTP means: a table."""

import json

import pytest

from orderapp.gateways import (
    Charged,
    ChargeRefusedError,
    GatewayAnswerError,
    GatewayBlockedError,
    GatewayUnavailableError,
    KeyReusedError,
)
from orderapp.gateways.answers import (
    MAX_SHOWN,
    KeyBusyError,
    Reply,
    Request,
    read_charge,
    read_lookup,
)

ASKED = Request(7, "pay-7", 50.5)


def reply(status, body):
    return Reply(status, body if body is None or isinstance(body, bytes) else dump(body))


def dump(body):
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    ("status", "body", "meaning"),
    [
        (200, {"status": "PAID"}, "PAID"),
        (201, {"status": "DECLINED", "id": "ch_1", "more": [1]}, "DECLINED"),
        (200, {"status": "PAID", "key": "pay-7", "order_id": 7, "amount": 50.50}, "PAID"),
        (200, {"status": "PAID", "key": None, "amount": None}, "PAID"),
        (402, b"no money", "DECLINED"),
        (402, None, "DECLINED"),
    ],
)
def test_answers_that_decide(status, body, meaning):
    assert read_charge(ASKED, reply(status, body)) == meaning


@pytest.mark.parametrize(
    ("status", "body", "error", "text"),
    [
        # What makes no sense says nothing of the charge.
        (200, b"", GatewayAnswerError, "can't be read"),
        (200, b"<html>Hello</html>", GatewayAnswerError, "<html>Hello</html>"),
        (200, b"\xff\xfe\x00", GatewayAnswerError, "can't be read"),
        (200, b"[" * 10_000, GatewayAnswerError, "can't be read"),
        (200, None, GatewayAnswerError, "longer than 16384 bytes"),
        (200, [], GatewayAnswerError, "can't be read"),
        (200, {"status": "paid"}, GatewayAnswerError, "status"),
        (200, {"status": 1}, GatewayAnswerError, "status"),
        (200, {"amount": 50.5}, GatewayAnswerError, "status"),
        (200, {"status": "PAID", "amount": 5}, GatewayAnswerError, "another amount"),
        (200, {"status": "PAID", "key": "pay-8"}, GatewayAnswerError, "another key"),
        (200, {"status": "PAID", "order_id": 8}, GatewayAnswerError, "another order_id"),
        (204, b"", GatewayAnswerError, "says 204"),
        (600, b"", GatewayAnswerError, "says 600"),
        # What passes.
        (202, {}, GatewayUnavailableError, "says 202"),
        (408, b"", GatewayUnavailableError, "says 408"),
        (425, b"", GatewayUnavailableError, "says 425"),
        (429, b"slowly", GatewayUnavailableError, "says 429 to pay-7: slowly"),
        (500, b"oops", GatewayUnavailableError, "says 500"),
        (503, b"", GatewayUnavailableError, "says 503"),
        (599, b"", GatewayUnavailableError, "says 599"),
        # What every order would meet.
        (301, b"", GatewayBlockedError, "says 301"),
        (308, b"", GatewayBlockedError, "says 308"),
        (401, b"who?", GatewayBlockedError, "says 401 to POST: who?"),
        (403, b"", GatewayBlockedError, "says 403"),
        (404, b"", GatewayBlockedError, "says 404"),
        (405, b"", GatewayBlockedError, "says 405"),
        # What is wrong with this order.
        (400, b"no", ChargeRefusedError, "says 400 to pay-7: no"),
        (410, b"", ChargeRefusedError, "says 410"),
        (413, b"", ChargeRefusedError, "says 413"),
        (451, b"", ChargeRefusedError, "says 451"),
        (422, {"amount": 40}, KeyReusedError, "pay-7 was charged with 40 before, not 50.5"),
        (
            422,
            b"x",
            KeyReusedError,
            "another amount before, not 50.5 (the gateway says 422: x)",
        ),
        (422, {"amount": 50.5}, KeyReusedError, "another amount before, not 50.5"),
        (409, {"amount": 40.0}, KeyReusedError, "pay-7 was charged with 40 before, not 50.5"),
        (409, b"wait", KeyBusyError, "409: pay-7 is in use"),
        (409, None, KeyBusyError, "409: pay-7 is in use"),
    ],
)
def test_answers_that_do_not_decide(status, body, error, text):
    with pytest.raises(error) as raised:
        read_charge(ASKED, reply(status, body))

    assert type(raised.value) is error
    assert text in str(raised.value)


@pytest.mark.parametrize(
    ("status", "body", "meaning"),
    [
        (200, {"status": "PAID", "amount": 50}, Charged("PAID", 50.0)),
        (200, {"status": "DECLINED", "amount": 1, "key": "pay-7"}, Charged("DECLINED", 1.0)),
        (404, b"", None),
    ],
)
def test_what_is_known_of_a_key(status, body, meaning):
    assert read_lookup("pay-7", reply(status, body)) == meaning


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, {"status": "PAID"}, GatewayAnswerError),  # of which amount?
        (200, {"status": "PAID", "amount": 1, "key": "pay-8"}, GatewayAnswerError),
        (200, b"", GatewayAnswerError),
        (405, b"", GatewayBlockedError),
        (400, b"", ChargeRefusedError),
        (500, b"", GatewayUnavailableError),
    ],
)
def test_a_question_that_is_not_answered(status, body, error):
    with pytest.raises(error):
        read_lookup("pay-7", reply(status, body))


def test_a_body_is_shown_in_one_short_line_that_no_terminal_obeys():
    with pytest.raises(ChargeRefusedError) as raised:
        read_charge(ASKED, reply(400, b"a\r\nb\x1b[2J\x00\xe2\x80\xae" + b"c" * 5000))

    text = str(raised.value)
    assert text.isprintable()
    assert len(text) < MAX_SHOWN + 50
    assert "a b" in text
