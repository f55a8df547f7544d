"""`POST /api/orders`, with Kafka's part played by a list."""

import asyncio
import itertools
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from orderapp.app import app, settings
from orderapp.engine.errors import SendFailedError, SendRefusedError
from orderapp.engine.observe.blocked import Blocked
from orderapp.web.api import access, ordering
from orderapp.web_settings import Web
from tests.web.examples import ask

GOOD = {"customer_id": 1234, "amount": 350.25, "country": "DE"}
TOKEN = "a token, not a secret"


class Topic:
    """What was sent to `orders`. `away` makes sending fail."""

    def __init__(self):
        self.sent = []
        self.away = None
        self.numbers = itertools.count()

    async def number(self, topic):
        return next(self.numbers)

    async def send_all(self, topic, partition, messages, headers):
        assert (topic, partition, len(messages)) == ("orders", None, len(headers))
        await asyncio.sleep(0)
        if self.away:
            raise self.away
        self.sent += [(key, json.loads(value)) for key, value in messages]


@pytest.fixture
def topic(monkeypatch):
    topic = Topic()
    monkeypatch.setattr(app, "ready", True)
    monkeypatch.setattr(app, "send_all", topic.send_all)
    monkeypatch.setattr(app, "unique_number", topic.number)
    return topic


@pytest.fixture
def secured(monkeypatch):
    web = Web(take_orders="token", api_token=TOKEN)
    monkeypatch.setattr(access, "settings", replace(settings, web=web))


async def post(client, body=GOOD, key=None, **headers):
    if key is not None:
        headers["Idempotency-Key"] = key
    return await ask(client, "/api/orders", "POST", json=body, headers=headers)


def bind_to(monkeypatch, host):
    monkeypatch.setattr(access, "app", SimpleNamespace(conf=SimpleNamespace(web_bind=host)))


async def test_an_order_is_on_its_topic_before_it_is_answered_for(client, store, topic):
    answer = await client.post("/api/orders", json=GOOD)
    found = await answer.json()

    assert answer.status == 202
    assert answer.headers["Location"] == found["links"]["self"]
    ((key, sent),) = topic.sent
    assert found["order"] == sent
    assert sent == GOOD | {"order_id": int(key), "created_at": sent["created_at"]}
    assert found["links"]["self"] == f"orders/{sent['order_id']}"


async def test_two_orders_without_a_key_are_two_orders(client, store, topic):
    await asyncio.gather(*(post(client) for _ in range(20)))

    assert len({key for key, _ in topic.sent}) == 20


async def test_an_order_needs_no_store(client, store, topic, monkeypatch):
    await store.close()

    assert (await post(client))[0] == 202


@pytest.mark.parametrize("error", [SendFailedError("broker-7.inside"), TimeoutError()])
async def test_without_kafka_it_is_503_and_the_client_hears_what_that_means(
    client, store, topic, error
):
    topic.away = error
    status, answer = await post(client)
    assert status == 503
    assert "twice" in answer["detail"]
    assert "inside" not in str(answer)

    topic.away = None
    assert (await post(client))[0] == 202
    assert len(topic.sent) == 1


async def test_an_order_that_kafka_refuses_is_503_and_nobody_is_told_to_send_it_again(
    client, store, topic, caplog
):
    topic.away = SendRefusedError("topic 'orders': raise inside.bytes")
    status, answer = await post(client)

    assert status == 503
    assert "was not written" in answer["detail"]
    assert "inside" not in str(answer)
    assert "raise inside.bytes" in caplog.text


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "k-7"}])
async def test_before_kafka_is_there_nothing_is_sent(
    client, store, topic, kafka, monkeypatch, key
):
    monkeypatch.setattr(app, "ready", False)

    answer = await client.post("/api/orders", json=GOOD, headers=key)

    assert (answer.status, topic.sent) == (503, [])
    assert answer.headers["Retry-After"]


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "k-8"}])
async def test_while_the_topic_is_missing_nothing_is_sent(
    client, store, topic, kafka, monkeypatch, key
):
    gone = Blocked()
    gone.block(("topic", "orders"), "the topic orders does not exist")
    monkeypatch.setattr(ordering, "blocked", gone)

    answer = await client.post("/api/orders", json=GOOD, headers=key)

    assert (answer.status, topic.sent) == (503, [])
    assert "'orders'" in (await answer.json())["detail"]


async def test_a_large_body_is_413(client, store, topic):
    body = GOOD | {"country": "x" * 65_536}

    assert (await post(client, body))[0] == 413


async def test_a_slow_body_is_408(client, store, topic, monkeypatch):
    monkeypatch.setattr("orderapp.web.api.body.BODY_SECONDS", 0.05)

    answered = asyncio.Event()

    async def slowly():
        yield b"{"
        await answered.wait()
        yield b"}"

    headers = {"Content-Type": "application/json"}
    answer = await client.post("/api/orders", data=slowly(), headers=headers)
    answered.set()

    assert answer.status == 408


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
async def test_another_content_type_is_415(client, store, topic, headers):
    answer = await client.post("/api/orders", data=b"{}", headers=headers)

    assert answer.status == 415
    assert topic.sent == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": "http://[::1"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "192.168.1.5:6066"},
    ],
)
async def test_foreign_pages_may_not_send_orders(client, store, topic, headers):
    status, answer = await post(client, **headers)

    assert (status, topic.sent) == (403, [])
    assert answer["errors"][0]["field"] in {"Host", "Origin"}


async def test_our_own_page_and_programs_may(client, store, topic):
    host = f"localhost:{client.port}"
    own = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    for headers in ({}, own, {"Host": "[::1]:6066"}, {"Host": "127.0.0.1"}):
        assert (await post(client, **headers))[0] == 202


PROXIES = {
    "nginx, as its packages set it up": {
        "X-Real-IP": "203.0.113.9",
        "X-Forwarded-Proto": "https",
    },
    "Apache": {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Server": "orders.example"},
    "RFC 7239": {"Forwarded": "for=203.0.113.9"},
    "Squid": {"Via": "1.1 proxy"},
    "Envoy": {"x-envoy-external-address": "203.0.113.9"},
    "an ALB": {"X-Amzn-Trace-Id": "Root=1-67891233-abcdef012345678912345678"},
    "CloudFront": {"X-Amz-Cf-Id": "x"},
    "Cloudflare": {"CF-Connecting-IP": "203.0.113.9"},
    "Cloudflare Enterprise": {"True-Client-IP": "203.0.113.9"},
    "Fastly": {"Fastly-Client-IP": "203.0.113.9"},
    "IIS": {"X-Original-URL": "/api/orders"},
    "Azure": {"X-Azure-ClientIP": "203.0.113.9"},
    "a cache": {"X-Varnish": "1"},
    "a content delivery network": {"CDN-Loop": "x"},
    "a client that is behind one": {"X-Client-IP": "203.0.113.9"},
}


@pytest.mark.parametrize("name", PROXIES)
async def test_what_came_through_a_proxy_may_not_send_orders(client, store, topic, name):
    status, answer = await post(client, **PROXIES[name])

    assert (status, topic.sent) == (403, [])
    assert answer["errors"][0]["field"] in PROXIES[name]
    assert "proxy" in answer["detail"]
    assert "set ORDERAPP_API_TOKEN" in answer["detail"]


async def test_nginx_with_nothing_but_the_address_may_not_either(client, store, topic):
    """It changes `Host` to the address and adds no header, but speaks HTTP/1.0."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    body = json.dumps(GOOD).encode()
    writer.write(
        b"POST /api/orders HTTP/1.0\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
        % (client.port, len(body), body)
    )
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()

    assert answer.split()[1] == b"403"
    assert b"HTTP/1.0" in answer.partition(b"\r\n\r\n")[2]
    assert topic.sent == []


async def test_other_programs_on_this_machine_may(client, store, topic):
    python = {"Connection": "close", "User-Agent": "Python-urllib/3.11"}
    for headers in (python, {"X-Request-Id": "1", "traceparent": "x"}, {"User-Agent": "curl"}):
        assert (await post(client, **headers))[0] == 202


@pytest.mark.parametrize("bind", ["0.0.0.0", "::", "", "orders.example", "10.0.0.7"])
async def test_other_machines_need_a_token_to_be_set(client, store, topic, monkeypatch, bind):
    bind_to(monkeypatch, bind)

    status, answer = await post(client)

    assert (status, topic.sent) == (403, [])
    assert "set ORDERAPP_API_TOKEN" in answer["detail"]


@pytest.mark.parametrize(
    "given",
    ["", TOKEN, "Bearer", "Bearer ", "Basic " + TOKEN, f"Bearer {TOKEN}x", "Bearer \udcff"],
)
async def test_a_wrong_token_is_401(client, store, topic, secured, given):
    headers = {"Authorization": given} if given else {}
    answer = await client.post("/api/orders", json=GOOD, headers=headers)

    assert (answer.status, topic.sent) == (401, [])
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert TOKEN not in await answer.text()


@pytest.mark.parametrize("name", PROXIES)
async def test_the_right_token_opens_any_bind_and_way(
    client, store, topic, secured, monkeypatch, name
):
    bind_to(monkeypatch, "0.0.0.0")
    headers = {"Authorization": f"bearer {TOKEN}", "Host": "10.0.0.7", "Origin": "null"}

    assert (await post(client, **headers, **PROXIES[name]))[0] == 202


async def test_a_page_is_told_beforehand_what_it_may_change(client, store, topic, monkeypatch):
    async def told(**headers):
        return (await ask(client, "/api/access", headers=headers))[1]["changes"]

    assert await told() == "free"
    assert await told(**PROXIES["Squid"]) == await told(Host="192.168.1.5:6066") == "refused"
    bind_to(monkeypatch, "0.0.0.0")
    assert await told() == "refused"
    for takers, expected in (("anyone", "free"), ("token", "token")):
        web = Web(take_orders=takers, api_token=TOKEN)
        monkeypatch.setattr(access, "settings", replace(settings, web=web))
        assert await told() == expected
    assert await told(Authorization=f"Bearer {TOKEN}x") == "token"
    assert await told(Authorization=f"Bearer {TOKEN}") == "free"


async def test_in_a_demonstration_anyone_may_and_the_log_warns_of_it(
    client, store, topic, monkeypatch, caplog
):
    for module in (access, ordering):
        anyone = replace(settings, web=Web(take_orders="anyone"))
        monkeypatch.setattr(module, "settings", anyone)
    await ordering.warn()
    bind_to(monkeypatch, "0.0.0.0")

    assert (await post(client, **PROXIES["Apache"], Origin="https://evil.example"))[0] == 202
    assert "ORDERAPP_TAKE_ORDERS=anyone" in caplog.text
