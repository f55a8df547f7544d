"""Metrics: every worker shows its own, whatever it runs, where `ORDERAPP_METRICS` says."""

from aiohttp import web
from prometheus_client.exposition import choose_encoder

from orderapp import metrics
from orderapp.app import app, settings
from orderapp.engine.health.consumer_metrics import ConsumerMetrics
from orderapp.engine.observe.metrics import KAFKA_UP, REGISTRY, STALLED
from orderapp.web.api.routes import Answer, Route, application, serve
from orderapp.web.server.problems import Problem, shown
from orderapp.web.server.proxies import sign_of_proxy

metrics.describe(settings)
KAFKA_UP.set_function(lambda: app.ready and app.watch.kafka_answers)
STALLED.set_function(lambda: app.watch.stalled is not None)
REGISTRY.register(ConsumerMetrics(settings.group, app.running_consumer, app.readers))


ROUTE = Route(
    "GET",
    "/metrics",
    "Metrics in the format of Prometheus.",
    {200: Answer("The metrics.", content_type="text/plain")},
    errors=(404,),
)


async def show(request: web.Request) -> web.Response:
    """Prometheus' text format, or OpenMetrics for clients that ask for it."""
    try:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    except (TypeError, ValueError):  # a version that is not a number
        encode, content_type = choose_encoder("")
    return web.Response(body=encode(REGISTRY), headers={"Content-Type": content_type})


async def show_directly(request: web.Request) -> web.Response:
    """The same, for who asks this worker itself: visitors come through a proxy."""
    if sign := sign_of_proxy(request):
        raise Problem(
            404,
            f"metrics are not shown through a proxy ({shown(sign)} shows it): ask the worker "
            "itself, or set ORDERAPP_METRICS for it to a port of their own",
        )
    return await show(request)


if settings.web.metrics == "web":
    serve(ROUTE)(show_directly)
elif isinstance(settings.web.metrics, int):
    apart = web.Application(middlewares=application.middlewares)
    apart.router.add_get(ROUTE.path, show)
    app.web.serve_apart(apart, settings.web.metrics)  # type: ignore[attr-defined]
