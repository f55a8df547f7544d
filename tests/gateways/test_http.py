"""The gateway over HTTP, before a real server that does what servers do."""

import asyncio
import contextlib
import logging
import socket
import ssl
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import trustme
from aiohttp.test_utils import TestServer

from orderapp.engine.dead_letters.headers import headers_for, replay_headers
from orderapp.engine.delivery.failure import Failure
from orderapp.engine.errors import RetryableError, TransientError
from orderapp.engine.observe.blocked import blocked
from orderapp.engine.observe.held_up import held_up
from orderapp.engine.observe.metrics import REGISTRY
from orderapp.gateways import (
    ChargeRefusedError,
    GatewayAnswerError,
    GatewayBlockedError,
    GatewayTimeoutError,
    GatewayUnavailableError,
    KeyReusedError,
)
from orderapp.gateways.answers import KeyBusyError
from orderapp.gateways.one_by_one import PLACE
from tests.gateways.conftest import TOKEN, batch, opened
from tests.gateways.double import breaks_off, hangs_up, says, waits
from tests.ports import free_port
from tests.records import record

ORDERS = [(n, float(n)) for n in range(20)]


def counted(result):
    return REGISTRY.get_sample_value("orderapp_gateway_requests_total", {"result": result})


@asynccontextmanager
async def raw(*answers):
    """A server that says these bytes, whatever it is asked; the URL."""
    left = list(answers)

    async def serve(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(head.split(b"content-length: ")[1].split()[0]))
                if not (answer := left.pop(0)):
                    break
                writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/charges"


async def test_a_charge_carries_key_token_and_json(http, double):
    await http.charge(7, "pay-7", 50.25)

    ((method, path, headers, body),) = double.requests
    assert (method, path) == ("POST", "/charges")
    assert headers["Idempotency-Key"] == "pay-7"
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["Content-Type"] == "application/json"
    assert body == {"order_id": 7, "key": "pay-7", "amount": 50.25}


async def test_a_gateway_that_hangs_is_given_up(hasty, double):
    double.script = [waits(5)]
    before = counted("timeout")

    with pytest.raises(GatewayTimeoutError, match=r"did not answer within 0\.3 s"):
        await hasty.charge(7, "pay-7", 50.0)

    assert counted("timeout") == before + 1


async def test_a_connection_that_hangs_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as server:  # nobody accepts
        port = server.getsockname()[1]
        async with opened(f"https://127.0.0.1:{port}/", timeout=0.3) as gateway:
            with pytest.raises(GatewayTimeoutError):
                await gateway.charge(7, "pay-7", 50.0)


async def test_a_gateway_that_refuses_the_connection_can_not_be_reached():
    async with opened(f"http://127.0.0.1:{free_port()}") as gateway:
        with pytest.raises(GatewayUnavailableError, match="can't be reached: http://127"):
            await gateway.charge(7, "pay-7", 50.0)


@pytest.mark.parametrize("step", [hangs_up, breaks_off])
async def test_a_connection_that_breaks_leaves_the_charge_open(http, double, step):
    double.script = [step]

    with pytest.raises(RetryableError):
        await http.charge(7, "pay-7", 50.0)

    assert await http.charge(7, "pay-7", 50.0) == "PAID"


async def test_an_answer_that_comes_too_late_is_asked_for_again_and_charged_once(
    hasty, http, double
):
    double.script = [waits(0.5)]
    with pytest.raises(GatewayTimeoutError):
        await hasty.charge(7, "pay-7", 50.0)
    await asyncio.sleep(0.4)

    assert await http.charge(7, "pay-7", 50.0) == "PAID"
    assert double.charged == {"pay-7": 50.0}


OK = b'HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{"status":"PAID"} '


@pytest.mark.parametrize(
    "answer",
    [
        b"\x00\xff\x1b[2J garbage hush/hush\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + b" " * 20_000,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"",
    ],
)
async def test_garbage_says_nothing_of_the_charge(answer):
    async with raw(answer, OK) as url, opened(url) as gateway:
        with pytest.raises(RetryableError) as raised:
            await gateway.charge(7, "pay-7", 50.0)

        text = str(raised.value)
        assert text.isprintable()
        assert len(text) < 500
        assert "hush" not in text
        assert await gateway.charge(7, "pay-7", 50.0) == "PAID"


async def test_an_answer_that_is_sent_twice_is_taken_once():
    async with raw(OK * 2, OK) as url, opened(url) as gateway:
        assert await gateway.charge(7, "pay-7", 50.0) == "PAID"
        assert await gateway.charge(8, "pay-8", 50.0) == "PAID"


async def test_an_answer_without_end_is_cut_off(http, double):
    double.script = [says(200, "x" * 10_000_000)]

    with pytest.raises(GatewayAnswerError, match="longer than"):
        await http.charge(7, "pay-7", 50.0)


async def test_an_error_of_the_gateways_passes(http, double):
    double.script = [says(500, "oops")]
    before = counted("unavailable"), counted("answered")

    with pytest.raises(GatewayUnavailableError, match="says 500 to pay-7: oops"):
        await http.charge(7, "pay-7", 50.0)

    assert await http.charge(7, "pay-7", 50.0) == "PAID"
    assert (counted("unavailable"), counted("answered")) == (before[0] + 1, before[1] + 1)


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_retry_after_holds_back_all_requests(http, double, form):
    # A date has whole seconds: it is between one and two from now.
    began, moment = time.monotonic(), datetime.now(UTC) + timedelta(seconds=2)
    date = format_datetime(moment, usegmt=True)
    double.script = [says(429, Retry_After="1" if form == "seconds" else date)]
    with pytest.raises(GatewayUnavailableError):
        await http.charge(7, "pay-7", 50.0)

    assert await http.charge(8, "pay-8", 50.0) == "PAID"

    assert 0.99 < time.monotonic() - began < 20


@pytest.mark.parametrize("value", ["", "soon", "-5", "1e9", "Mon, 99 Nov 2026", "٣"])
async def test_a_retry_after_that_makes_no_sense_holds_back_nothing(http, double, value):
    double.script = [says(429, Retry_After=value)]
    with pytest.raises(GatewayUnavailableError):
        await http.charge(7, "pay-7", 50.0)

    began = time.monotonic()
    await http.charge(8, "pay-8", 50.0)

    assert time.monotonic() - began < 20  # LONGEST_PAUSE has 30


async def test_a_retry_after_of_a_day_is_not_waited_for(http, double, monkeypatch):
    monkeypatch.setattr("orderapp.gateways.http.LONGEST_PAUSE", 0.1)
    double.script = [says(503, Retry_After="86400")]
    with pytest.raises(GatewayUnavailableError):
        await http.charge(7, "pay-7", 50.0)

    assert await http.charge(8, "pay-8", 50.0) == "PAID"


async def test_a_redirect_is_not_followed(http, double, server):
    double.script = [says(307, Location=str(server.make_url("/charges")))]

    with pytest.raises(GatewayBlockedError, match="it says 307 to POST"):
        await http.charge(7, "pay-7", 50.0)

    assert len(double.requests) == 1
    assert double.charged == {}


async def test_a_proxy_of_the_environment_is_not_used(http, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")

    assert await http.charge(7, "pay-7", 50.0) == "PAID"


async def test_a_token_is_in_no_error_although_the_gateway_repeats_it(http, double):
    for body in (f"bad token {TOKEN}", '{"token":"hush\\/hush"}'):
        double.script = [says(400, body)]
        with pytest.raises(ChargeRefusedError) as raised:
            await http.charge(7, "pay-7", 50.0)
        assert "hush" not in str(raised.value)
    double.script = [says(200, {"status": TOKEN})]
    with pytest.raises(GatewayAnswerError) as raised:
        await http.charge(7, "pay-7", 50.0)
    assert "hush" not in str(raised.value)
    assert "hush" not in repr(http._api)


async def test_a_certificate_that_is_not_trusted_blocks_and_is_no_dead_letter(double):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server = TestServer(double.app(), scheme="https")
    await server.start_server(ssl=context)
    try:
        async with opened(server.make_url("/charges")) as gateway:
            with pytest.raises(GatewayBlockedError, match="ertificate"):
                await gateway.charge(7, "pay-7", 50.0)
    finally:
        await server.close()
    assert double.requests == []


async def test_a_host_that_does_not_exist_blocks():
    async with opened("http://orderapp.invalid/charges", timeout=5) as gateway:
        with pytest.raises((GatewayBlockedError, GatewayUnavailableError), match="reached"):
            await gateway.charge(7, "pay-7", 50.0)


# -- keys


async def test_a_key_that_is_in_use_is_asked_for(http, double):
    double.charged["pay-7"] = 50.0
    double.script = [says(409, "in progress")]

    assert await http.charge(7, "pay-7", 50.0) == "PAID"


async def test_a_key_that_is_in_use_and_not_known_is_tried_again(http, double):
    double.script = [says(409, "in progress")]

    with pytest.raises(KeyBusyError, match="pay-7 is in use"):
        await http.charge(7, "pay-7", 50.0)

    assert isinstance(KeyBusyError("x"), RetryableError)


@pytest.mark.parametrize("status", [409, 422])
async def test_both_amounts_are_named_also_where_the_gateway_does_not(http, double, status):
    double.charged["pay-7"] = 40.0
    double.script = [says(status, "no")]

    with pytest.raises(KeyReusedError, match="pay-7 was charged with 40 before, not 50"):
        await http.charge(7, "pay-7", 50.0)


async def test_a_gateway_that_can_not_be_asked_does_not_hide_the_conflict(http, double):
    async def never(request):
        return await says(405 if request.method == "GET" else 422, "no")(request)

    double.always = never
    with pytest.raises(KeyReusedError, match=r"another amount before, not 50 \(.*says 422: no"):
        await http.charge(7, "pay-7", 50.0)


# -- batches


async def test_requests_at_one_time_are_limited_for_all_batches_together(double, server):
    double.always = waits(0.1)
    async with opened(server.make_url("/charges"), requests=7) as gateway:
        batches = [batch(*((n + i, 1.0) for i in range(20))) for n in (0, 100, 200)]
        seen = [{}, {}, {}]

        async def charge(orders, into):
            async def report(answers):
                into.update(answers)

            assert await gateway.charge_all(orders, report) == {}

        await asyncio.gather(*map(charge, batches, seen))

    assert [len(one) for one in seen] == [20, 20, 20]
    assert double.most == 7


async def test_time_spent_waiting_for_room_is_no_time_out(double, server, reports):
    double.always = waits(0.4)
    async with opened(server.make_url("/charges"), requests=1, timeout=4) as gateway:
        assert await gateway.charge_all(batch(*ORDERS[:12]), reports) == {}


async def test_a_slow_answer_holds_up_no_other(http, double, reports):
    go_on, others = asyncio.Event(), asyncio.Event()

    async def wait(_):
        await go_on.wait()

    double.rules[3] = wait

    async def report(answers):
        await reports(answers)
        if reports.keys() == set(range(20)) - {3}:
            others.set()

    charging = asyncio.create_task(http.charge_all(batch(*ORDERS), report))
    await asyncio.wait_for(others.wait(), 60)
    go_on.set()

    assert await charging == {}
    assert 3 in reports


async def test_a_report_that_waits_takes_no_room_from_other_batches(server, reports):
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def wait(answers):
        begun.set()
        await go_on.wait()
        await reports(answers)

    async with opened(server.make_url("/charges"), requests=2) as gateway:
        waiting = asyncio.create_task(gateway.charge_all(batch(*ORDERS), wait))
        others = {}

        async def report(answers):
            others.update(answers)

        async with asyncio.timeout(60):
            await begun.wait()
            await gateway.charge_all(batch(*((n, 1.0) for n in range(100, 120))), report)
        assert (len(others), len(reports), waiting.done()) == (20, 0, False)
        go_on.set()
        assert await waiting == {}
    assert len(reports) == 20


async def test_answers_that_come_together_are_reported_together(http):
    sizes = []

    async def report(answers):
        sizes.append(len(answers))
        await asyncio.sleep(0.2)

    await http.charge_all(batch(*((n, 1.0) for n in range(100))), report)

    assert sum(sizes) == 100
    assert len(sizes) < 20


async def test_waiting_for_room_is_no_stall(double, server, reports):
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_):
        asked.set()
        await go_on.wait()

    double.always = wait
    async with opened(server.make_url("/charges"), requests=1) as gateway:
        charging = asyncio.create_task(gateway.charge_all(batch(*ORDERS[:3]), reports))
        await asked.wait()
        assert ("orders", 0) in held_up
        go_on.set()
        await charging
    assert ("orders", 0) not in held_up


async def test_orders_fail_each_for_its_own_reason(server, double, reports):
    double.rules = {1: says(400, "no"), 2: says(500), 3: waits(60), 4: says(402)}

    # As long as all the others may take where the machine pauses.
    async with opened(server.make_url("/charges"), timeout=5) as gateway:
        failed = await gateway.charge_all(batch(*ORDERS[:6]), reports)

    assert {index: type(error) for index, error in failed.items()} == {
        1: ChargeRefusedError,
        2: GatewayUnavailableError,
        3: GatewayTimeoutError,
    }
    assert reports == {0: "PAID", 4: "DECLINED", 5: "PAID"}


@pytest.mark.parametrize("status", [302, 401, 403, 404, 405])
async def test_a_gateway_that_takes_no_order_blocks_and_is_asked_little(
    double, server, reports, caplog, status
):
    double.always = says(status, "nothing for you")
    async with opened(server.make_url("/charges"), requests=4) as gateway:
        for _ in range(3):
            failed = await gateway.charge_all(batch(*ORDERS), reports)

            assert failed.keys() == set(range(20))
            assert {type(error) for error in failed.values()} == {GatewayBlockedError}
            assert isinstance(failed[0], TransientError)
        # As many as at one time, and then one each time.
        assert len(double.requests) <= 4 + 1 + 1

        (reason,) = blocked.reasons
        assert f"it says {status} to POST" in reason
        assert "ORDERAPP_PAYMENT_TOKEN" in reason
        lines = [r for r in caplog.records if r.levelno == logging.CRITICAL]
        assert [line.getMessage() for line in lines] == [reason]

        double.always = None
        assert await gateway.charge_all(batch(*ORDERS), reports) == {}
        assert PLACE not in blocked
        assert len(reports) == 20


async def test_one_order_that_blocks_holds_up_no_other_for_ever(http, double, reports):
    double.rules[0] = says(404)
    left = list(ORDERS)
    for _ in range(200):
        said = []

        async def report(answers, said=said):
            said.extend(answers)

        failed = await http.charge_all(batch(*left), report)
        left = [left[index] for index in sorted(failed)]
        if left == [ORDERS[0]]:
            break

    assert left == [ORDERS[0]]
    assert double.charged.keys() == {f"pay-{n}" for n, _ in ORDERS[1:]}


async def test_a_gateway_that_hangs_after_it_blocked_is_asked_once(double, server, reports):
    double.always = says(401)
    async with opened(server.make_url("/charges"), timeout=2) as gateway:
        await gateway.charge_all(batch(*ORDERS), reports)
        asked = len(double.requests)
        double.always = waits(5)

        await gateway.charge_all(batch(*ORDERS), reports)

        assert len(double.requests) == asked + 1


# -- orders that may have been charged long ago

HOUR = 3_600_000


def replayed(order_id, sent, first_failure):
    """A dead letter of an order, sent again; times in ms of Unix time."""
    original = record(key=b"%d" % order_id, timestamp=sent)
    first = datetime.fromtimestamp(first_failure / 1000, UTC).isoformat()
    failure = Failure("payment", GatewayTimeoutError("no answer"), 8, first)
    letter = record(topic="orders-dlq", headers=headers_for(original, failure))
    return replay_headers(letter, ["payment"])


def now():
    return int(time.time() * 1000)


@pytest.mark.parametrize(
    ("sent", "failed", "asked"),
    [(1, 1, False), (23, 22, False), (25, 23, True), (23, 25, True), (1000, 900, True)],
)
async def test_a_replay_is_asked_for_when_its_key_may_be_forgotten(
    http, double, reports, sent, failed, asked
):
    headers = replayed(7, now() - sent * HOUR, now() - failed * HOUR)
    orders = batch((7, 50.0), timestamp=now(), headers=headers)

    assert await http.charge_all(orders, reports) == {}

    assert [method for method, *_ in double.requests] == ["GET", "POST"][not asked :]
    assert reports == {0: "PAID"}


async def test_what_was_charged_long_ago_is_not_charged_again(http, double, reports):
    double.charged["pay-7"] = 20_000.0
    orders = batch((7, 20_000.0), timestamp=now() - 25 * HOUR)

    assert await http.charge_all(orders, reports) == {}

    assert reports == {0: "DECLINED"}
    assert double.posts == {}


async def test_another_amount_that_was_charged_long_ago_is_an_error(http, double, reports):
    double.charged["pay-7"] = 40.0

    failed = await http.charge_all(batch((7, 50.0), timestamp=1), reports)

    assert type(failed[0]) is KeyReusedError
    assert "charged with 40 before, not 50" in str(failed[0])
    assert double.posts == {}


async def test_while_nobody_knows_an_old_key_it_is_not_charged(http, double, reports):
    double.always = says(500)

    failed = await http.charge_all(batch((7, 50.0), timestamp=1), reports)

    assert type(failed[0]) is GatewayUnavailableError
    assert [method for method, *_ in double.requests] == ["GET"]


async def test_a_replay_made_by_hand_is_asked_for(http, double, reports):
    headers = [("replay-for", b"payment"), ("replay-of", b"x")]

    await http.charge_all(batch((7, 50.0), timestamp=now(), headers=headers), reports)

    assert [method for method, *_ in double.requests] == ["GET", "POST"]


async def test_an_open_gateway_leaves_nothing_behind_when_it_is_closed(double, server):
    async with opened(server.make_url("/charges")) as gateway:
        await gateway.charge(7, "pay-7", 50.0)

    with pytest.raises(GatewayUnavailableError, match="closed"):
        await gateway.charge(7, "pay-7", 50.0)
