"""`GET /asyncapi.json`: the topics and what travels on them, described from the Records."""

from functools import cache
from importlib.metadata import version
from typing import Any

from aiohttp import web

from orderapp import faults, topics
from orderapp.app import app
from orderapp.engine import Json
from orderapp.engine.dead_letters.headers import HEADERS
from orderapp.engine.dead_letters.resolutions import Resolution
from orderapp.engine.observe.trace_headers import PARENT, STATE
from orderapp.letters.opened import RESOLVED
from orderapp.letters.opened import TOPIC as DEAD_LETTERS
from orderapp.web.api.flow import text_of
from orderapp.web.api.routes import Answer, Route, json, serve
from orderapp.web.api.schemas import describe

_TEXT: dict[str, Any] = {"type": "string"}
_KEYS: dict[str, dict[str, Any]] = {
    DEAD_LETTERS: {"description": "that of the record that could not be processed"},
    RESOLVED: _TEXT
    | {
        "pattern": "^[0-9]{1,9}:[0-9]{1,18}$",
        "description": "the partition and the offset of the dead letter",
    },
}
_NUMBER = _TEXT | {"pattern": "^-?[0-9]{1,19}$"}
_MOMENT = _TEXT | {"format": "date-time"}
#: Those of a dead letter; a header is text, whatever it says.
_DEAD_LETTER: dict[str, Any] = dict.fromkeys(HEADERS, _TEXT) | {
    "attempts": _NUMBER,
    "original-partition": _NUMBER,
    "original-offset": _NUMBER,
    "original-timestamp": _NUMBER | {"description": "in ms of Unix time"},
    "first-failure": _MOMENT,
    "last-failure": _MOMENT,
}
#: Headers of records that belong to a trace; what is sent because of one has its own ones.
_TRACE: dict[str, Any] = {
    PARENT: _TEXT | {"description": "the trace that the record belongs to (W3C Trace Context)"},
    STATE: _TEXT | {"description": "what goes with it"},
}
#: Messages that travel on a topic beside its own: their names, codecs and keys.
_OTHERS = {topics.control.name: [("fault-change", faults.codec, faults.fault_key)]}


@cache
def document() -> dict[str, Any]:
    """The description, as AsyncAPI 3.0 has it."""
    # What is decoded says what is checked: the Record's annotations, with their bounds.
    models: dict[str, Any] = {
        name: topic.message
        for name, topic in app.batched.items()
        if isinstance(topic.codec, Json)
    }
    models[RESOLVED] = Resolution
    models |= {name: codec.message for own in _OTHERS.values() for name, codec, _ in own}
    schemas, components = describe([*models.values()], written=False)
    payloads = dict(zip(models, schemas, strict=True))
    partitions = {spec.name: spec.partitions for spec in app.topic_specs}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "orderapp",
            "version": version("orderapp"),
            "description": "JSON; the key of an order, its alert and its payment is the order "
            "id as text, so that they have the same partition number.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(name, n) for name, n in partitions.items()},
        "operations": {
            f"{action}-{name}": _operation(action, name, services)
            for name in partitions
            for action, services in (("receive", _reading(name)), ("send", _sending(name)))
            if services or action == "receive"
        },
        "components": {
            "schemas": components,
            "messages": {name: _message(name, payloads.get(name)) for name in partitions}
            | _others(payloads),
        },
    }


def _reading(topic: str) -> list[str]:
    services = app.services.all.values()
    return [one.name for one in services if topic in (*one.reads, *one.follows)]


def _sending(topic: str) -> list[str]:
    return [one.name for one in app.services.all.values() if topic in one.sends]


def _messages(topic: str) -> list[str]:
    return [topic, *(name for name, _, _ in _OTHERS.get(topic, ()))]


def _channel(topic: str, partitions: int) -> dict[str, Any]:
    return {
        "address": topic,
        "description": text_of(topic),
        "messages": {
            name: {"$ref": f"#/components/messages/{name}"} for name in _messages(topic)
        },
        "bindings": {"kafka": {"partitions": partitions, "bindingVersion": "0.5.0"}},
    }


def _operation(action: str, topic: str, services: list[str]) -> dict[str, Any]:
    channel = f"#/channels/{topic}"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{name}"} for name in _messages(topic)],
        # The services that do so.
        "tags": [{"name": service} for service in services],
    }


def _described(name: str, key: dict[str, Any], payload: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "payload": payload,
        "bindings": {"kafka": {"key": key, "bindingVersion": "0.5.0"}},
    }


def _message(topic: str, payload: dict[str, Any] | None) -> dict[str, Any]:
    known = app.batched.get(topic)
    key = _KEYS.get(topic) or _TEXT | {"description": known.key_text if known else ""}
    name = known.codec.record.__name__ if known and payload else topic
    # A dead letter is whatever bytes could not be processed.
    message = _described(name, key, payload or {})
    if topic != RESOLVED:
        own = _DEAD_LETTER if topic == DEAD_LETTERS else {}
        message["headers"] = {
            "type": "object",
            "properties": own | _TRACE,
            "required": [*own],
        }
    return message


def _others(payloads: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        name: _described(
            codec.record.__name__, _TEXT | {"description": key.__doc__}, payloads[name]
        )
        for own in _OTHERS.values()
        for name, codec, key in own
    }


@serve(
    Route(
        "GET",
        "/asyncapi.json",
        "The Kafka topics, as AsyncAPI 3.0.",
        {200: Answer("The description.", dict[str, Any])},
    )
)
async def asyncapi(request: web.Request) -> web.Response:
    return json(document())
