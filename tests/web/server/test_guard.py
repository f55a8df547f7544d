"""What no view ever sees: foreign names, and paths written in two ways."""

import asyncio

import pytest

from orderapp.web.server.guard import is_normal
from orderapp.web.server.hosts import Hosts


async def raw(client, head):
    """The status of an answer, and all of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(head.encode() + b"\r\nConnection: close\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return int(answer.split()[1]), answer.decode()


PATHS = ("/", "/metrics", "/openapi.json", "/api/analytics", "/static/dashboard.js")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200), ("LOCALHOST:6066", 200), ("localhost.", 200),
        ("127.0.0.1:6066", 200), ("[::1]:6066", 200), ("10.0.0.7:6066", 200),
        ("[2001:db8::7]", 200),
        ("evil.example", 421), ("127.0.0.1.evil.example:6066", 421), ("web:6066", 421),
        ("evil.localhost.example", 421), ("[::1", 421), ("", 421), ("a b", 421),
        ("evil@localhost", 421), ("localhost:x", 421), ("localhost/", 421),
        ("1" * 5000, 421),
    ],
)  # fmt: skip
async def test_a_page_that_leads_a_name_of_its_own_here_reads_nothing(
    client, store, host, status
):
    for path in PATHS:
        answer = await client.get(path, headers={"Host": host})
        assert answer.status == status
        if status == 421:
            problem = await answer.json()
            assert "ORDERAPP_ALLOWED_HOSTS" in problem["detail"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_load_balancers_may_ask_for_health_by_any_name(client, store):
    for host in ("orders.internal", "10.1.2.3", "web:6066"):
        assert (await client.get("/healthz", headers={"Host": host})).status == 200
        readyz = await client.get("/readyz", headers={"Host": host})
        assert "missing" in await readyz.json()


def test_names_that_are_given_are_known_and_an_asterisk_is_any():
    hosts = Hosts(["Orders.Example", "web"])
    assert hosts.know("orders.example:443")
    assert hosts.know("web")
    assert not hosts.know("other.orders.example")
    assert Hosts(["*"]).know("whatever.example")


@pytest.mark.parametrize(
    "path",
    [
        "/%6detrics", "/metric%73", "/%6Detrics", "//metrics", "/./metrics", "/x/../metrics",
        "/metrics/.", "/metrics/..", "/metrics//", "/%2e/metrics", "/x/%2E%2E/metrics",
        "/%2Fmetrics", "/x%2f..%2fmetrics", "/metrics%00", "/metrics%0a", "/%5cmetrics",
        "/\\metrics", "/x\\..\\metrics", "/metrics%", "/metrics%4", "/metrics%zz",
        "/api/orders/%37", "/static/%64ashboard.js", "/%68ealthz", "/%7Ex", "/%2Dx",
    ],
)  # fmt: skip
async def test_a_path_that_can_be_written_in_another_way_is_refused(client, store, path):
    for method in ("GET", "HEAD", "POST", "OPTIONS"):
        status, answer = await raw(client, f"{method} {path} HTTP/1.1\r\nHost: localhost")
        assert status == 400
        assert "X-Content-Type-Options: nosniff" in answer
        assert ("normal form" in answer) == (method != "HEAD")


@pytest.mark.parametrize(
    "path",
    [
        "/", "/metrics", "/static/vendor/uplot/uPlot.min.css", "/a.b/..c/c../.d", "/x/",
        "/api/dead-letters/3%3A17", "/%C3%A9", "/a%20b", "/a%25b", "/%3Fx", "/...", "/a;b=c",
    ],
)  # fmt: skip
def test_other_paths_are_normal(path):
    assert is_normal(path)


async def test_a_target_with_a_host_in_it_is_held_to_the_header(client, store):
    for target, host, status in (
        ("http://localhost/healthz", "localhost", 200),
        ("http://localhost/%68ealthz", "localhost", 400),
        ("http://localhost//healthz", "localhost", 400),
        ("http://evil.example/metrics", "localhost", 400),
        ("http://evil.example/metrics", "evil.example", 421),
    ):
        assert (await raw(client, f"GET {target} HTTP/1.1\r\nHost: {host}"))[0] == status
    assert (await raw(client, "GET /openapi.json HTTP/1.0\r\nX: no host"))[0] == 200
