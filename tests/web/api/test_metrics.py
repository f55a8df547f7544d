"""`/metrics`, for Prometheus and for OpenMetrics."""

import asyncio

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as open_metrics,
)
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.worker import eventually, workers
from tests.ports import free_port


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


@pytest.mark.parametrize(
    "sign", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP", "CF-Connecting-IP"]
)
async def test_visitors_who_come_through_a_proxy_get_none(client, sign):
    answer = await client.get("/metrics", headers={sign: "203.0.113.9"})

    assert answer.status == 404
    assert "ORDERAPP_METRICS" in (await answer.json())["detail"]


async def test_nor_through_nginx_with_nothing_but_the_address(client):
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(b"GET /metrics HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()

    assert answer.split()[1] == b"404"


@pytest.mark.parametrize("where", ["off", "port"])
def test_a_worker_shows_them_where_it_is_told_to(tmp_path, where):
    """A whole worker, which waits for a Kafka that is not there."""
    port, kafka = free_port(), f"127.0.0.1:{free_port()}"
    value = "off" if where == "off" else str(port)
    with workers(tmp_path / "data") as start:
        worker = start(KAFKA_BOOTSTRAP_SERVERS=kafka, ORDERAPP_METRICS=value)
        eventually(lambda: worker.get("/healthz")[0] == 200, "the worker answers", 60)

        assert worker.get("/metrics")[0] == 404
        if where == "port":
            worker.port = port
            assert "process_cpu_seconds_total" in worker.text("/metrics")
            assert worker.get("/api/orders")[0] == 404
