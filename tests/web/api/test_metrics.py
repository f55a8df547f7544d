"""`/metrics`, for Prometheus and for OpenMetrics."""

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as open_metrics,
)
from prometheus_client.parser import text_string_to_metric_families


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
