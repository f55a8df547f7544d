"""`GET /asyncapi.json`: the topics and what travels on them, described from the Records."""

from functools import cache
from importlib.metadata import version
from typing import Any

import faust
import msgspec
from aiohttp import web

from orderapp.app import app
from orderapp.engine.dead_letters import HEADERS
from orderapp.engine.twins import twin
from orderapp.models import FraudAlert, Order, Payment
from orderapp.web.api import Answer, Route, json, serve

_REF = "#/components/schemas/{name}"

#: What travels on each topic, and what for.
RECORDS: dict[str, tuple[type[faust.Record], str]] = {
    "orders": (Order, "Orders of customers: fraud, payment and analytics read them."),
    "fraud-alerts": (FraudAlert, "Risky orders, found by fraud; analytics keeps them."),
    "payments": (Payment, "What the gateway said to an order; analytics keeps it."),
}
_OTHERS = {
    "orders-dlq": "What could not be processed, unchanged; the headers say why.",
    "orders-dlq-resolved": "Which dead letters were replayed or dropped.",
}


@cache
def document() -> dict[str, Any]:
    """The description, as AsyncAPI 3.0 has it."""
    # The twin says what is checked: the Record's own annotations, with their bounds.
    twins: list[Any] = [twin(record) for record, _ in RECORDS.values()]
    schemas, components = msgspec.json.schema_components(twins, ref_template=_REF)
    payloads = dict(zip(RECORDS, schemas, strict=True))
    topics = {spec.name: spec.partitions for spec in app.topic_specs}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "orderapp",
            "version": version("orderapp"),
            "description": "JSON; the key is the order id as text, so that an order, its alert "
            "and its payment have the same partition number.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(name, n) for name, n in topics.items()},
        "operations": {f"receive-{name}": _operation(name) for name in topics},
        "components": {
            "schemas": components,
            "messages": {name: _message(name, payloads.get(name)) for name in topics},
        },
    }


def _channel(topic: str, partitions: int) -> dict[str, Any]:
    text = RECORDS[topic][1] if topic in RECORDS else _OTHERS.get(topic, "")
    return {
        "address": topic,
        "description": text,
        "messages": {topic: {"$ref": f"#/components/messages/{topic}"}},
        "bindings": {"kafka": {"partitions": partitions, "bindingVersion": "0.5.0"}},
    }


def _operation(topic: str) -> dict[str, Any]:
    channel = f"#/channels/{topic}"
    return {
        "action": "receive",
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{topic}"}],
    }


def _message(topic: str, payload: dict[str, Any] | None) -> dict[str, Any]:
    message: dict[str, Any] = {
        "name": RECORDS[topic][0].__name__ if topic in RECORDS else topic,
        # A dead letter is whatever bytes could not be processed.
        "payload": payload or {},
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": "0.5.0"}},
    }
    if topic == "orders-dlq":
        texts = {name: {"type": "string"} for name in HEADERS}
        message["headers"] = {"type": "object", "properties": texts, "required": [*HEADERS]}
    return message


@serve(
    Route(
        "GET",
        "/asyncapi.json",
        "The Kafka topics, as AsyncAPI 3.0.",
        {200: Answer("The description.", dict[str, Any])},
    )
)
async def asyncapi(request: web.Request) -> web.Response:
    """The description."""
    return json(document())
