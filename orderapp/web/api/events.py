"""`GET /api/events`: new orders, alerts, payments and dead letters, as they arrive."""

from aiohttp import web

from orderapp.app import app
from orderapp.metrics import EVENT_STREAMS
from orderapp.web.api.event_format import Gap
from orderapp.web.api.event_items import EventBatch
from orderapp.web.api.live import Live
from orderapp.web.api.routes import Answer, Parameter, Route, application, serve

ROUTE = Route(
    "GET",
    "/api/events",
    "New orders, alerts, payments and dead letters as server-sent events.",
    {
        200: Answer(
            "`event: batch` at most four times a second: the new items of each kind (orders as "
            "they will be stored, the others as they are on their topics), the newest 200, "
            "and how many were `skipped`. "
            "`event: gap` when something was missed: ask again for all. A comment "
            "every 10 s. The answer has no end: a client that reads answers whole has to be "
            "told to hand out the stream.",
            content_type="text/event-stream",
            events={"batch": EventBatch, "gap": Gap},
        )
    },
    parameters=(
        Parameter(
            "Last-Event-ID",
            {"type": "string"},
            "the id of the last event that was seen: the stream goes on behind it, or says "
            "`gap`",
            "header",
        ),
    ),
    errors=(503,),
)

live = Live()
app.resources.append(live)
app.topic_listeners.append(lambda _: live.begin_anew())
EVENT_STREAMS.set_function(lambda: len(live.streams))


async def _close_streams(_: web.Application) -> None:
    live.close_streams()


application.on_shutdown.append(_close_streams)


@serve(ROUTE, seconds=None)
async def stream(request: web.Request) -> web.StreamResponse:
    return await live.serve(request)
