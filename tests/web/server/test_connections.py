"""Clients that are slow, many, or speak no HTTP hold nobody up, and learn nothing."""

import asyncio
import contextlib
import json
import logging
import resource
import socket
import time
from types import SimpleNamespace

import psutil
import pytest
from aiohttp import web

from orderapp.engine.observe import logs
from orderapp.web.server import connections, driver
from orderapp.web.server.heads import HEADERS_BYTES
from orderapp.web.server.middleware import MIDDLEWARES

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
TOKEN = b"the-token-of-somebody"


async def healthz(_):
    return web.json_response({"status": "ok"})


async def large(_):
    return web.Response(body=bytes(50_000_000))


async def echo(request):
    return web.json_response({"size": len(await request.read())})


async def slow(_):
    await asyncio.sleep(0.5)
    return web.Response(text="slow")


async def broken(_):
    raise OSError("/the/inside of it")


@pytest.fixture
async def port(monkeypatch):
    """A small application on the server that workers have, with times that nobody exceeds who
    is only paused, as its machine may be for some seconds."""
    for name in ("HEAD_SECONDS", "STUCK_SECONDS", "HEAR_OUT_SECONDS"):
        monkeypatch.setattr(connections, name, 600)
    monkeypatch.setattr(driver, "most_connections", lambda: 100)
    app = web.Application(middlewares=MIDDLEWARES, client_max_size=64 * 1024)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/large", large)
    app.router.add_get("/broken", broken)
    app.router.add_get("/slow", slow)
    app.router.add_post("/echo", echo)
    runner = driver.Runner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


@pytest.fixture
def impatient(monkeypatch):
    """Short times, from the next head or answer on."""

    def begin():
        monkeypatch.setattr(connections, "HEAD_SECONDS", 0.4)
        monkeypatch.setattr(connections, "STUCK_SECONDS", 0.4)

    return begin


class Client:
    """A raw connection."""

    def __init__(self, streams):
        self.reader, self.writer = streams

    @classmethod
    async def of(cls, port, data=b""):
        client = cls(await asyncio.open_connection("127.0.0.1", port))
        client.writer.write(data)
        return client

    async def answer(self):
        """The next answer: its status, headers and body."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 60)
        first, *lines = head.decode().split("\r\n")[:-2]
        headers = dict(line.split(": ", 1) for line in lines)
        body = await self.reader.readexactly(int(headers["Content-Length"]))
        return int(first.split()[1]), headers, body

    async def closed(self):
        """Return when the server has closed it."""
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(self.reader.read(), 60)

    def close(self):
        self.writer.transport.abort()


async def test_a_client_that_says_nothing_is_let_go(port, impatient):
    impatient()
    began = time.monotonic()
    client = await Client.of(port)

    await client.closed()

    assert time.monotonic() - began > 0.2


async def test_a_head_that_drips_is_cut_off_however_it_goes_on(port, impatient):
    impatient()
    client = await Client.of(port, b"GET /healthz HTTP/1.1\r\n")

    async def drip():
        while True:
            client.writer.write(b"X: y\r\n")
            await asyncio.sleep(0.05)

    dripping = asyncio.create_task(drip())
    try:
        await client.closed()
    finally:
        dripping.cancel()


async def test_a_connection_may_be_quiet_between_two_requests_but_not_within_one(
    port, impatient
):
    client = await Client.of(port, HEALTH)
    assert (await client.answer())[0] == 200
    impatient()
    await asyncio.sleep(0.8)
    client.writer.write(HEALTH)
    assert (await client.answer())[0] == 200

    began = time.monotonic()
    client.writer.write(HEALTH[:20])
    await client.closed()

    assert time.monotonic() - began > 0.2


async def test_a_body_has_a_time_of_its_own(port, impatient):
    impatient()
    client = await Client.of(
        port, b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\n"
    )
    for _ in range(8):
        await asyncio.sleep(0.1)
        client.writer.write(b"x")
    status, _, body = await client.answer()
    assert (status, json.loads(body)) == (200, {"size": 8})
    client.close()


def served(port):
    """The server's ends of open connections; it runs in this process."""
    ends = psutil.Process().net_connections("tcp")
    return [end for end in ends if end.raddr and end.laddr.port == port]


async def seen(fact):
    """Wait for it: a busy machine needs longer than the limits say."""
    async with asyncio.timeout(60):
        while not fact():  # noqa: ASYNC110 - nobody tells it
            await asyncio.sleep(0.05)


async def test_a_client_that_does_not_read_is_let_go(port, impatient):
    client = await Client.of(port)
    client.writer.transport.pause_reading()
    await seen(lambda: served(port))
    impatient()
    client.writer.write(HEALTH.replace(b"healthz", b"large"))
    await seen(lambda: not served(port))
    client.writer.transport.resume_reading()

    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await client.reader.readexactly(50_000_000)


async def test_who_reads_slowly_but_reads_gets_all(port):
    client = await Client.of(port, HEALTH.replace(b"healthz", b"large"))
    _, headers, body = await client.answer()
    assert headers["Content-Length"] == str(len(body)) == "50000000"
    client.close()


async def test_idle_connections_do_not_keep_others_out(port):
    idle = [await Client.of(port) for _ in range(500)]

    client = await Client.of(port, HEALTH)

    assert (await client.answer())[0] == 200
    await seen(lambda: len(served(port)) <= 100)
    for one in (*idle, client):
        one.close()


async def test_pipelined_requests_are_answered_one_after_the_other(port):
    client = await Client.of(port, HEALTH * 1000)
    for _ in range(1000):
        assert (await client.answer())[0] == 200
    client.close()


HEAD = HEALTH[:-2]

NO_HTTP = {
    "a character that is none": HEAD + b"Authorization: Bearer " + TOKEN + b"\x01",
    "a header without a colon": HEAD + TOKEN,
    "two lengths": HEAD + b"Content-Length: 1\r\nContent-Length: 2",
    "a length and chunks": HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked",
    "a negative length": HEAD + b"Content-Length: -1",
    "an expectation that is no text": HEAD + b"Expect: \x80" + TOKEN,
    "no 'Host'": b"GET /healthz HTTP/1.1\r\nX: " + TOKEN,
    "no first line": TOKEN + b"\r\n" + HEAD,
    "no target": b"GET http://[::1" + TOKEN + b" HTTP/1.1\r\nHost: localhost",
    "not HTTPS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + TOKEN,
}


@pytest.mark.parametrize("name", NO_HTTP)
async def test_what_is_no_http_is_refused_and_not_repeated(port, name, caplog):
    caplog.set_level(logging.DEBUG)
    client = await Client.of(port, NO_HTTP[name] + b"\r\n\r\n")

    status, headers, body = await client.answer()

    assert status == 400
    assert headers["Content-Type"] == "application/problem+json"
    assert headers["X-Content-Type-Options"] == "nosniff"
    part = {"no 'Host'": "'Host'", "no first line": "first line", "no target": "target"}
    assert (
        part.get(name, name if name == "not HTTPS" else "header") in json.loads(body)["detail"]
    )
    assert TOKEN not in body
    assert TOKEN.decode() not in caplog.text
    assert "Traceback" not in caplog.text
    await client.closed()
    again = await Client.of(port, HEALTH)
    assert (await again.answer())[0] == 200
    again.close()


def header(size, name=b"Cookie"):
    """One header of so many bytes, its end included."""
    return name + b": " + b"x" * (size - len(name) - 4) + b"\r\n"


FULL = HEADERS_BYTES - len(header(17, b"Host"))


@pytest.mark.parametrize(
    "headers",
    [
        header(FULL),
        header(32 * 1024) + header(FULL - 32 * 1024),
        b"".join(header(500) for _ in range(127)),
    ],
    ids=["one", "two", "many"],
)
@pytest.mark.parametrize("step", [10**6, 7_000])
async def test_headers_of_logins_are_taken_however_they_arrive(port, headers, step):
    client = await Client.of(port)
    for _ in range(2):
        whole = HEAD + headers + b"\r\n"
        for begin in range(0, len(whole), step):
            client.writer.write(whole[begin : begin + step])
            await client.writer.drain()
            await asyncio.sleep(0.001)
        assert (await client.answer())[0] == 200
    client.close()


LARGE = {
    "one byte more": (HEAD + header(FULL + 1), 431),
    "one byte more, in two": (HEAD + header(FULL // 2) + header(FULL - FULL // 2 + 1), 431),
    "129 headers": (HEAD + b"X: y\r\n" * 128, 431),
    "10,000 headers": (HEAD + b"X: y\r\n" * 10_000, 431),
    "1 MB": (HEAD + header(10**6, b"Authorization"), 431),
    "8 MB": (HEAD + header(8 * 10**6, b"Authorization"), 431),
    "100 times 60 KB": (HEAD + header(60_000) * 100, 431),
    "a long target": (b"GET /" + b"x" * 16_384 + b" HTTP/1.1\r\nHost: localhost\r\n", 414),
    "a target of 8 MB": (b"GET /?" + b"x" * 8 * 10**6 + b" HTTP/1.1\r\n", 414),
}


@pytest.mark.parametrize("name", LARGE)
async def test_a_head_that_is_too_large_is_refused_with_the_limit(port, name, caplog):
    head, expected = LARGE[name]
    client = await Client.of(port, head + b"\r\n")

    status, headers, body = await client.answer()

    problem = json.loads(body)
    assert status == problem["status"] == expected
    assert ("16384 bytes" if expected == 414 else "65536 bytes") in problem["detail"]
    assert headers["Content-Type"] == "application/problem+json"
    assert headers["X-Content-Type-Options"] == "nosniff"
    await client.closed()


async def test_who_sends_all_before_reading_anything_still_gets_the_answer(port):
    """As most clients do: a connection that breaks under them hides it."""

    def send_all_and_read():
        with socket.create_connection(("127.0.0.1", port), 60) as connection:
            connection.sendall(HEAD + header(5 * 10**6) + b"\r\n")
            return connection.recv(65536)

    for _ in range(10):
        answer = await asyncio.to_thread(send_all_and_read)
        assert answer.startswith((b"HTTP/1.1 431 ", b"HTTP/1.0 431 "))


async def test_a_head_without_an_end_is_cut_off_also_behind_a_request_under_way(port):
    """What waits for its turn is bounded too."""
    client = await Client.of(port, HEAD.replace(b"healthz", b"slow") + b"\r\n" + HEAD)
    await asyncio.sleep(0.1)
    for _ in range(1000):
        client.writer.write(header(100) * 100)
        await asyncio.sleep(0)
    assert (await client.answer())[0] == 200
    assert (await client.answer())[0] == 431
    client.close()


async def test_a_large_body_does_not_count_as_a_head(port):
    client = await Client.of(port)
    post = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n"
    for _ in range(3):
        client.writer.write(post)
        for _ in range(6):
            client.writer.write(bytes(10_000))
            await asyncio.sleep(0.01)
        assert (await client.answer())[0] == 200
        client.writer.write(HEALTH[:10])
        await asyncio.sleep(0.01)
        client.writer.write(HEALTH[10:])
        assert (await client.answer())[0] == 200
    client.close()


async def test_much_that_is_no_http_does_not_fill_the_log(port, caplog, monkeypatch):
    monkeypatch.setattr(logs, "time", SimpleNamespace(monotonic=lambda: 100.0))
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(connections, "_few", logs.Few(connections.logger))
    for _ in range(50):
        client = await Client.of(port, b"\x16\x03\x01\r\n\r\n")
        assert (await client.answer())[0] == 400
        client.close()
    assert len([r for r in caplog.records if "can't be read" in r.message]) == 5


async def test_an_expectation_that_is_not_known_is_a_problem(port):
    client = await Client.of(port, HEALTH[:-2] + b"Expect: miracles\r\n\r\n")
    status, headers, body = await client.answer()
    assert (status, headers["Content-Type"]) == (417, "application/problem+json")
    assert b"miracles" not in body
    client.close()


async def test_an_error_of_the_program_shows_nothing_of_it(port):
    client = await Client.of(port, HEALTH.replace(b"healthz", b"broken"))
    status, _, body = await client.answer()
    assert status == 500
    assert b"inside of it" not in body
    client.close()


@pytest.mark.parametrize(
    ("allowed", "most"),
    [(256, 128), (1024, 512), (1_048_576, 5_000), (resource.RLIM_INFINITY, 5_000), (16, 32)],
)
def test_connections_take_at_most_half_of_the_files(monkeypatch, allowed, most):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (allowed, allowed))
    assert driver.most_connections() == most
