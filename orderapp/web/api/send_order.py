"""`POST /api/orders`: an order goes to Kafka, and is confirmed before it is answered for."""

from typing import Annotated, Literal

import msgspec
from aiohttp import web

from orderapp.engine.observe import trace_headers
from orderapp.web.api import idempotency_key, ordering
from orderapp.web.api.body import read_json
from orderapp.web.api.new_order import NewOrder, parse
from orderapp.web.api.routes import Answer, Header, Parameter, Route, json, serve
from orderapp.web.api.sent_order import SentOrder

#: Seconds that a request may take.
PATIENCE = 15.0
#: A reference to something of ours.
URL = {"type": "string", "format": "uri-reference"}


class Links(msgspec.Struct, frozen=True):
    """Where to look next, relative to the URL of the request."""

    self: Annotated[str, msgspec.Meta(extra_json_schema=URL)]


class Accepted(msgspec.Struct, frozen=True):
    """Kafka has the order."""

    order: SentOrder
    links: Links
    status: Literal["accepted"] = "accepted"


ROUTE = Route(
    "POST",
    "/api/orders",
    "Send an order. Its id comes from the worker.",
    {
        202: Answer(
            "Kafka has the order; the services take it from there.",
            Accepted,
            headers={
                "Location": Header(
                    "where the order will be, relative to the URL of the request", URL
                )
            },
        )
    },
    parameters=(
        idempotency_key.PARAMETER,
        Parameter(
            trace_headers.PARENT,
            {"type": "string"},
            "the trace that the request belongs to (W3C Trace Context); one that is not valid "
            "counts for nothing",
            "header",
        ),
        Parameter(trace_headers.STATE, {"type": "string"}, "what goes with it", "header"),
    ),
    body=NewOrder,
    example={"customer_id": 1234, "amount": 350.0, "country": "DE"},
    errors=(503,),
    guarded=True,
)


@serve(ROUTE, seconds=PATIENCE)
async def send_order(request: web.Request) -> web.Response:
    key = idempotency_key.read_key(request)
    trace = trace_headers.from_http(request.headers)
    order = await ordering.take(parse(await read_json(request)), key, trace)
    # Relative to this request's URL: a proxy may serve the API under a path of its own.
    link = f"orders/{order.order_id}"
    return json(Accepted(order, Links(link)), 202, {"Location": link})
