"""`/docs`: what it shows of the description, its links and its examples."""

import json
import re
import shlex
from html import unescape
from urllib.parse import urljoin

import pytest

from orderapp import control, topics
from orderapp.app import app
from orderapp.web.api import (
    checks,
    dead_letters,
    docs,
    docs_text,
    openapi,
    ordering,
    parameters,
)
from orderapp.web.api.sent_order import SentOrder
from tests.rules.log import ControlLog
from tests.switches import SwitchLog
from tests.web.examples import RULE_TEST, TIME, run_instead


async def taken(wanted, *_):
    """An order as it was sent."""
    return SentOrder(2**52, wanted.customer_id, wanted.amount, wanted.country, TIME)


async def test_the_page_names_every_request_and_loads_nothing_from_elsewhere(client):
    answer = await client.get("/docs")
    text = await answer.text()

    assert answer.content_type == "text/html"
    for path, operations in openapi.document()["paths"].items():
        assert f"<code>{path}</code>" in text
        assert all(
            docs_text.text(operation["summary"]) in text for operation in operations.values()
        )
    assert "`" not in text
    for link in re.findall(r'(?:href|src)="([^"]*)"', text):
        # Relative, so that they are right where a proxy serves the page under a path.
        assert not link.startswith("/")
        assert ":" not in link
        if link.startswith("#"):
            assert f'id="{link[1:]}"' in text
        else:
            assert (await client.get(urljoin("/docs", link))).status == 200
    assert not re.findall(r"<script(?! (?:type=.module. )?src=)|<style|\bstyle=|\bon\w+=", text)


async def test_its_first_line_is_that_of_the_page(client):
    page = await (await client.get("/")).text()

    named = re.findall(r'<a href="(#/[^"]*)" data-leads="[^"]*"[^>]*>([\w ]+?) ?<', page)
    assert {name: f"./{where}".removesuffix("#/") for where, name in named} == docs.VIEWS


async def test_every_part_of_the_page_is_seen_when_a_link_leads_to_it(client):
    text = await (await client.get("/docs")).text()
    schemas = openapi.document()["components"]["schemas"]

    assert "<details" not in text, "browsers don't open it for a link"
    for name in schemas:
        assert text.count(f'id="{name}"') == 1
    # All but those that only events have are named by an answer or another schema.
    assert {*re.findall(r'href="#(\w+)"', text)} >= {*schemas}


def test_what_the_page_shows_is_escaped():
    for made in (
        docs_text.text("a `<b>` <b>"),
        docs_text.code("<b>"),
        docs_text.kind({"$ref": "#/components/schemas/<b>"}),
        docs_text.allowed({"enum": ["<b>"]}),
    ):
        assert "<b>" not in made
        assert "&lt;b&gt;" in made


@pytest.fixture
def control_log(monkeypatch):
    log, switches = ControlLog(), SwitchLog()

    async def look():
        await log.look()
        await switches.look()

    async def send_all(topic, partition, messages):
        for key, value in messages:
            await switches.send(key, value)

    monkeypatch.setattr(control.follower, "look", look)
    monkeypatch.setattr(topics.control, "send_one", log.send)
    monkeypatch.setattr(app, "send_all", send_all)
    yield
    log.close()
    switches.close()


@pytest.mark.usefixtures("store", "kafka", "control_log")
async def test_the_commands_of_the_page_do_what_it_says(client, monkeypatch, letters):
    """Each example is run, but for the token, as curl would."""
    while letters.put() != dead_letters.PLACE.example:
        pass
    monkeypatch.setattr(ordering, "take", taken)
    monkeypatch.setattr(checks.checker, "begin", lambda: None)
    run_instead(monkeypatch, f"print({json.dumps(RULE_TEST)!r})")
    text = await (await client.get("/docs")).text()
    commands = [unescape(found) for found in re.findall(r"<code>(curl [^<]*)</code>", text)]

    answers = {}
    for command in commands:
        words = shlex.split(command)
        path = next(w for w in words if w.startswith("http")).partition("6066")[2]
        headers = [words[i + 1].split(": ", 1) for i, w in enumerate(words) if w == "-H"]
        data = words[words.index("-d") + 1] if "-d" in words else None
        method = words[words.index("-X") + 1] if "-X" in words else "POST" if data else "GET"
        # A worker is ready for changes only, so that `/readyz` says what is missing.
        monkeypatch.setattr(app, "ready", method == "PUT" or path.startswith("/api/faults"))
        async with client.request(method, path, headers=headers, data=data) as answer:
            answers[method, path] = answer.status

    assert len(answers) == len(commands) == 31
    assert answers.pop(("POST", "/api/orders")) == 202
    assert answers.pop(("POST", "/api/reconcile")) == 202
    assert answers.pop(("GET", "/readyz")) == 503
    assert answers.pop(("GET", f"/api/orders/{parameters.ORDER_ID.example}")) == 404
    assert {*answers.values()} == {200}
