"""The descriptions of the API and the topics, held to the code."""

import json
import re
from urllib.parse import urljoin

import jsonschema
import pytest

from orderapp.app import app
from orderapp.engine.dead_letters.resolutions import Place, Resolution, encode_resolution
from orderapp.engine.observe.trace_headers import PARENT, STATE
from orderapp.models import FraudAlert, Order, Payment
from orderapp.web.api import asyncapi, docs, openapi
from tests.web.examples import ask


def test_every_route_is_described_and_every_described_one_exists(client):
    described = {
        (method.upper(), path)
        for path, operations in openapi.document()["paths"].items()
        for method in operations
    }
    routes = {
        (route.method, route.resource.canonical) for route in app.web.web_app.router.routes()
    }
    pages = {("GET", "/"), ("GET", "/static/{name}")}

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

    for record in (Order, FraudAlert, Payment):
        assert list(schemas[record.__name__]["properties"]) == list(record._options.fields)
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


def test_the_headers_of_a_trace_are_described_wherever_they_are_taken():
    messages = asyncapi.document()["components"]["messages"]
    described = {name for name, m in messages.items() if PARENT in str(m.get("headers"))}
    post = openapi.document()["paths"]["/api/orders"]["post"]

    assert described == {"orders", "fraud-alerts", "payments", "orders-dlq"}
    assert {PARENT, STATE} <= {parameter["name"] for parameter in post["parameters"]}


@pytest.mark.parametrize("path", ["/openapi.json", "/asyncapi.json"])
async def test_the_descriptions_are_served(client, path):
    status, answer = await ask(client, path)

    assert status == 200
    assert answer["info"]["title"] == "orderapp"


async def test_the_page_names_every_request_and_loads_nothing_from_elsewhere(client):
    answer = await client.get("/docs")
    text = await answer.text()

    assert answer.content_type == "text/html"
    for path, operations in openapi.document()["paths"].items():
        assert f"<code>{path}</code>" in text
        assert all(operation["summary"] in text for operation in operations.values())
    for link in re.findall(r'(?:href|src)="([^"]*)"', text):
        # Relative, so that they are right where a proxy serves the page under a path.
        assert not link.startswith("/")
        assert ":" not in link
        if link.startswith("#"):
            assert f'id="{link[1:]}"' in text
        else:
            assert (await client.get(urljoin("/docs", link))).status == 200
    assert not re.findall(r"<script|<style|\bstyle=|\bon\w+=", text)


def test_what_the_page_shows_is_escaped():
    assert "<b>" not in docs._json({"description": "<b>"})
    assert "&lt;b&gt;" in docs._table("<i>", ("<u>",), [("<b>",)])
