"""Errors for people are pages, and for programs problem details."""

import re
from urllib.parse import urljoin

import pytest

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    ("path", "status"), [("/nowhere", 404), ("/a/b/c", 404), ("/api/orders?limit=0", 400)]
)
async def test_a_browser_is_shown_a_page_that_leads_on(client, store, path, status):
    answer = await client.get(path, headers={"Accept": BROWSER})
    text = await answer.text()

    assert (answer.status, answer.content_type) == (status, "text/html")
    assert f"<h1>{status} " in text
    assert answer.headers["Vary"] == "Accept"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert not re.findall(r"<script|<style|\bstyle=|\bon\w+=", text)
    links = re.findall(r'href="([^"]*)"', text)
    assert len(links) == 4
    for link in links:
        assert not link.startswith("/")
        assert (await client.get(urljoin(path, link))).status == 200


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html;q=0", ""])
async def test_a_program_gets_problem_details(client, store, accept):
    answer = await client.get("/nowhere", headers={"Accept": accept})

    assert (answer.status, answer.content_type) == (404, "application/problem+json")
    assert (await answer.json())["status"] == 404
    assert answer.headers["Vary"] == "Accept"


async def test_what_a_client_sent_is_no_markup_on_the_page(client, store):
    answer = await client.get("/api/orders?limit=<b>", headers={"Accept": BROWSER})

    assert "<b>" not in await answer.text()


async def test_browsers_find_an_icon_where_they_look_for_one(client):
    answer = await client.get("/favicon.ico")

    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/x-icon")
    assert (await answer.read())[:6] == b"\x00\x00\x01\x00\x02\x00"
    assert answer.headers["Cache-Control"] == "no-cache"
