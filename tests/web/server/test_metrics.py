"""`/metrics` and the counting of requests, on Faust's own web application."""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as open_metrics,
)
from prometheus_client.parser import text_string_to_metric_families

from orderapp.app import app
from orderapp.engine.observe.metrics import REGISTRY
from orderapp.web.server.measure import measure


@pytest.fixture(scope="module")
async def client():
    app.finalize()
    app.web.blueprints.apply(app.web)
    async with TestClient(TestServer(app.web.web_app)) as running:
        yield running


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


async def test_prometheus_gets_its_text(client):
    answer = await client.get("/metrics", headers={"Accept": "text/plain;version=0.0.4"})

    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = {family.name for family in text_string_to_metric_families(await answer.text())}
    assert {
        "orderapp_records",
        "orderapp_end_to_end_seconds",
        "process_cpu_seconds",
    } <= families


async def test_who_asks_for_open_metrics_gets_them(client):
    wanted = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    answer = await client.get("/metrics", headers={"Accept": wanted})

    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    families = {family.name: family for family in open_metrics(await answer.text())}
    assert families["orderapp_end_to_end_seconds"].type == "histogram"
    assert families["orderapp_records"].type == "counter"


@pytest.mark.parametrize(
    "accept", ["text/plain;version=x", "application/openmetrics-text;version=abc", "\udcff"]
)
async def test_who_asks_for_a_version_that_is_none_gets_the_usual_text(client, accept):
    answer = await client.get("/metrics", headers={"Accept": accept})

    assert (answer.status, answer.content_type) == (200, "text/plain")


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
