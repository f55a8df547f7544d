"""Metrics: every worker shows its own, whatever it runs."""

from aiohttp import web
from prometheus_client.exposition import choose_encoder

from orderapp import metrics
from orderapp.app import app, settings
from orderapp.engine.health.consumer_metrics import ConsumerMetrics
from orderapp.engine.observe.metrics import KAFKA_UP, REGISTRY, STALLED
from orderapp.web.api.routes import Answer, Route, serve

metrics.describe(settings)
KAFKA_UP.set_function(lambda: app.ready and app.watch.kafka_answers)
STALLED.set_function(lambda: app.watch.stalled is not None)
REGISTRY.register(ConsumerMetrics(settings.group, app.running_consumer, app.readers))


@serve(
    Route(
        "GET",
        "/metrics",
        "Metrics in the format of Prometheus.",
        {200: Answer("The metrics.", content_type="text/plain")},
    )
)
async def show(request: web.Request) -> web.Response:
    """Prometheus' text format, or OpenMetrics for clients that ask for it."""
    try:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    except (TypeError, ValueError):  # a version that is not a number
        encode, content_type = choose_encoder("")
    return web.Response(body=encode(REGISTRY), headers={"Content-Type": content_type})
