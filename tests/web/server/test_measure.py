"""The counting of requests."""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from orderapp.engine.observe.metrics import REGISTRY
from orderapp.web.server.measure import measure


@pytest.fixture
async def measured():
    """An application with nothing but the counting, and routes of every fate."""

    async def ok(_request):
        return web.Response(text="ok")

    async def events(_request):
        return web.Response(body=b"data: 1\n\n", headers={"Content-Type": "text/event-stream"})

    async def gone(_request):
        raise ConnectionResetError

    async def broken(_request):
        raise ZeroDivisionError

    application = web.Application(middlewares=[measure])
    application.router.add_get("/orders/{id}", ok)
    application.router.add_route("*", "/any", ok)
    application.router.add_get("/events", events)
    application.router.add_get("/gone", gone)
    application.router.add_get("/broken", broken)
    async with TestClient(TestServer(application)) as running:
        yield running


def requests(method, route, status):
    labels = {"method": method, "route": route, "status": status}
    return REGISTRY.get_sample_value("orderapp_http_requests_total", labels) or 0


def timed(method, route):
    labels = {"method": method, "route": route}
    return REGISTRY.get_sample_value("orderapp_http_request_seconds_count", labels) or 0


async def test_requests_count_by_route_and_never_by_path(measured):
    before = requests("GET", "/orders/{id}", "200"), timed("GET", "/orders/{id}")

    for order_id in range(5):
        await measured.get(f"/orders/{order_id}")

    assert requests("GET", "/orders/{id}", "200") == before[0] + 5
    assert timed("GET", "/orders/{id}") == before[1] + 5


async def test_what_a_stranger_makes_up_is_no_series_of_its_own(measured):
    before = requests("GET", "unmatched", "404"), requests("other", "/any", "200")

    await measured.get("/nowhere/at/all")
    await measured.get("/elsewhere")
    await measured.request("PROPFIND", "/any")

    assert requests("GET", "unmatched", "404") == before[0] + 2
    assert requests("other", "/any", "200") == before[1] + 1


@pytest.mark.parametrize(
    ("path", "status", "is_timed"),
    [("/events", "200", False), ("/gone", "499", False), ("/broken", "500", True)],
)
async def test_streams_and_clients_that_left_are_counted_but_not_timed(
    measured, path, status, is_timed
):
    before = requests("GET", path, status), timed("GET", path)

    try:
        await measured.get(path)
    except OSError:  # the connection that broke
        assert path == "/gone"

    assert requests("GET", path, status) == before[0] + 1
    assert timed("GET", path) == before[1] + is_timed
