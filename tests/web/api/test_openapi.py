"""The descriptions of the API and the topics, held to the code."""

import json

import jsonschema
import msgspec
import pytest

from orderapp import faults
from orderapp.app import app
from orderapp.engine.dead_letters.headers import headers_for
from orderapp.engine.dead_letters.resolutions import Place, Resolution, encode_resolution
from orderapp.engine.delivery.failure import Failure
from orderapp.engine.observe.trace_headers import PARENT, STATE
from orderapp.models import FraudAlert, Order, Payment
from orderapp.store import StoreUnavailable
from orderapp.web.api import asyncapi, openapi, schemas
from orderapp.web.api.routes import Answer, Route
from tests.records import record
from tests.web.examples import alert, ask, order, payment


def test_every_route_is_described_and_every_described_one_exists(client):
    described = {
        (method.upper(), path)
        for path, operations in openapi.document()["paths"].items()
        for method in operations
    }
    routes = {
        (route.method, route.resource.canonical) for route in app.web.web_app.router.routes()
    }
    pages = {("GET", "/"), ("GET", "/favicon.ico"), ("GET", "/static/{name}")}

    assert described == {route for route in routes if route[0] != "HEAD"} - pages


@pytest.mark.parametrize("document", [openapi.document(), asyncapi.document()])
def test_every_reference_leads_somewhere(document):
    def references(value):
        if isinstance(value, dict):
            yield from (v for k, v in value.items() if k == "$ref")
            for inner in value.values():
                yield from references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    for reference in set(references(document)):
        found = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


def test_bounds_of_the_fields_are_described():
    fields = openapi.document()["components"]["schemas"]["NewOrder"]

    assert fields["additionalProperties"] is False
    assert fields["required"] == ["customer_id", "amount", "country"]
    customer = fields["properties"]["customer_id"]
    assert (customer["minimum"], customer["maximum"]) == (1000, 9999)


def test_every_topic_is_described(client):
    channels = asyncapi.document()["channels"]

    assert list(channels) == [spec.name for spec in app.topic_specs]
    assert all(channel["description"] for channel in channels.values())


def test_every_service_is_named_where_it_reads_and_sends():
    operations = asyncapi.document()["operations"]

    def services(name):
        return [tag["name"] for tag in operations[name]["tags"]]

    assert services("receive-orders") == ["fraud", "payment", "analytics"]
    assert services("send-orders") == ["producer", "web"]
    assert services("send-fraud-alerts") == ["fraud"]
    assert "send-orders-dlq-resolved" not in operations


def test_messages_have_the_fields_of_their_records():
    schemas = asyncapi.document()["components"]["schemas"]

    for kind in (Order, FraudAlert, Payment):
        assert list(schemas[kind.__name__]["properties"]) == list(kind._options.fields)
    assert schemas["Order"]["properties"]["customer_id"]["minimum"] == 1000
    assert schemas["Order"]["properties"]["amount"]["maximum"] == 1e12
    payment = schemas["Payment"]["properties"]
    assert payment["status"]["enum"] == ["DECLINED", "PAID"]
    assert payment["attempts"]["maximum"] == 2**53 - 1


def test_the_notes_about_dead_letters_are_described_as_they_are_written():
    found = asyncapi.document()["components"]
    message = found["messages"]["orders-dlq-resolved"]
    schema = {**message["payload"], "components": found}
    note = Resolution("dropped", "2026-11-26T12:00:00.000+00:00", "fraud", 5, "fraud")

    jsonschema.validate(json.loads(encode_resolution(note)), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"action": "lost", "at": ""}, schema)
    key = message["bindings"]["kafka"]["key"]
    jsonschema.validate(str(Place(3, 17)), key)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate("4711", key)


def test_both_kinds_of_changes_are_described_as_they_are_written():
    found = asyncapi.document()["components"]
    channel = asyncapi.document()["channels"]["orderapp-control"]
    message = found["messages"]["fault-change"]
    schema = {**message["payload"], "components": found}
    made = faults.codec.message(
        fault="gateway_down", value=0.5, version=2, changed_at="2026-11-30T09:00:00.000Z"
    )

    assert [*channel["messages"]] == ["orderapp-control", "fault-change"]
    jsonschema.validate(json.loads(faults.codec.encode(made)), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"fault": "gateway_down", "value": -1, "version": 2}, schema)
    key = message["bindings"]["kafka"]["key"]["description"]
    assert key == "`fault:` and the fault's name"


def test_the_headers_of_a_trace_are_described_wherever_they_are_taken():
    messages = asyncapi.document()["components"]["messages"]
    described = {name for name, m in messages.items() if PARENT in str(m.get("headers"))}
    post = openapi.document()["paths"]["/api/orders"]["post"]

    assert described == {*app.batched}
    assert {PARENT, STATE} <= {parameter["name"] for parameter in post["parameters"]}


def test_the_headers_of_a_dead_letter_are_described_as_they_are_written():
    failed = record(b"{", partition=2, offset=2**40)
    failure = Failure("payment", ValueError("no JSON"))
    described = asyncapi.document()["components"]["messages"]["orders-dlq"]["headers"]
    written = {name: value.decode() for name, value in headers_for(failed, failure)}

    jsonschema.validate(written, described)
    assert described["required"] == list(written)
    for name in ("attempts", "original-offset"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(written | {name: "many"}, described)
    assert described["properties"]["last-failure"]["format"] == "date-time"


@pytest.mark.parametrize("path", ["/openapi.json", "/asyncapi.json"])
async def test_the_descriptions_are_served(client, path):
    status, answer = await ask(client, path)

    assert status == 200
    assert answer["info"]["title"] == "orderapp"


def walk(value):
    """Every object in a description."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)


@pytest.mark.parametrize("document", [openapi.document(), asyncapi.document()])
def test_every_number_says_how_wide_it_is(document):
    """A client that is told nothing takes 32 bits, which no id of ours fits in."""
    numbers = [found for found in walk(document) if found.get("type") in ("integer", "number")]

    assert len(numbers) >= 10
    for schema in numbers:
        if schema["type"] == "number":
            assert schema["format"] == "double", schema
        elif "maximum" in schema and schema["maximum"] < 2**31:
            assert (schema["format"], schema["minimum"] >= -(2**31)) == ("int32", True), schema
        else:
            assert schema["format"] == "int64", schema


@pytest.mark.parametrize(
    ("schema", "width"),
    [
        ({"minimum": 0, "maximum": 2**31 - 1}, "int32"),
        ({"minimum": 0, "maximum": 2**31}, "int64"),
        ({"minimum": -(2**31), "maximum": 0}, "int32"),
        ({"minimum": -(2**31) - 1, "maximum": 0}, "int64"),
        ({"maximum": 5}, "int64"),
        ({}, "int64"),
    ],
)
def test_an_integer_is_as_wide_as_its_bounds(schema, width):
    assert schemas.completed({"type": "integer", **schema})["format"] == width


@pytest.mark.parametrize("document", [openapi.document(), asyncapi.document()])
def test_every_time_in_text_says_that_it_is_one(document):
    named = {"at", "created_at", "stored_at", "detected_at", "paid_at", "first_failure",
             "last_failure"}  # fmt: skip
    fields = [
        (name, field)
        for found in walk(document)
        for name, field in found.get("properties", {}).items()
        if name in named
    ]

    assert len(fields) >= 4
    for name, field in fields:
        texts = [one for one in field.get("anyOf", [field]) if one != {"type": "null"}]
        assert texts == [{"type": "string", "format": "date-time"}], name


def test_every_enumeration_says_its_type():
    assert all(
        found["type"] == "string" for found in walk(openapi.document()) if "enum" in found
    )


def test_what_we_always_write_is_required():
    """Fields with a default are no less there."""
    components = openapi.document()["components"]["schemas"]
    for schema in map(components.get, WRITTEN):
        optional = {*schema["properties"]} - {*schema["required"]}
        assert optional == ({"errors"} if schema["title"] == "ProblemDetails" else set())
    assert "created_at" not in components["Payment"]["required"], "somebody else's message"


WRITTEN = (
    "Accepted", "Healthy", "ListedOrder", "ListedPayment", "NotReady", "OneOrder", "Orders",
    "Overview", "Page", "ProblemDetails", "SentOrder", "Stalled",
)  # fmt: skip


def test_two_things_with_one_name_are_refused(monkeypatch):
    class ProblemDetails(msgspec.Struct):
        something: int

    odd = Route("GET", "/odd", "Odd.", {200: Answer("Odd.", events={"x": ProblemDetails})})

    with pytest.raises(TypeError, match="ProblemDetails is the name of two different things"):
        openapi._schemas([odd])


def test_every_operation_has_a_group_that_is_explained_and_says_who_may():
    document = openapi.document()
    explained = [tag["name"] for tag in document["tags"]]
    operations = [o for path in document["paths"].values() for o in path.values()]

    assert all(tag["description"] for tag in document["tags"])
    assert {tag for o in operations for tag in o["tags"]} == {*explained}
    guarded = [o["operationId"] for o in operations if o["security"]]
    assert sorted(guarded) == [
        "post_api_dead_letters_drop",
        "post_api_dead_letters_replay",
        "post_api_faults_off",
        "post_api_orders",
        "post_api_reconcile",
        "put_api_faults_name",
        "put_api_rules_rule_id",
    ]


async def test_answers_have_the_headers_that_are_described(client, store):
    store.fail(StoreUnavailable("away"))
    answer = await client.get("/api/analytics")
    described = openapi.document()["paths"]["/api/analytics"]["get"]["responses"]["503"]

    assert [*described["headers"]] == ["Retry-After"]
    jsonschema.validate(
        int(answer.headers["Retry-After"]), described["headers"]["Retry-After"]["schema"]
    )


async def test_times_that_are_none_are_null(client, store):
    """Senders of older documents may have written anything, or nothing."""
    old = order(7, created_at="yesterday", kafka_timestamp=1_000, stored_at="")
    paid = msgspec.structs.replace(payment(7), paid_at="2026-11-23T18:00:01Z", created_at="")
    await store.upsert([old, msgspec.structs.replace(alert(7), detected_at="noon"), paid])

    _, answer = await ask(client, "/api/orders/7", route="/api/orders/{order_id}")

    found = answer["order"]
    assert (found["created_at"], found["stored_at"]) == ("1970-01-01T00:00:01.000000Z", None)
    assert (found["alerts"][0]["detected_at"], found["payment"]["created_at"]) == (None, None)
    assert found["payment"]["paid_at"] == "2026-11-23T18:00:01.000000Z"
    assert found["timeline"][0]["at"] is None
