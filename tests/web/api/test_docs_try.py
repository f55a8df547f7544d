"""The requests of `/docs`, tried in place in a real browser."""

import re

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from orderapp.web.api import ordering
from tests.web.api.test_docs_page import taken
from tests.web.examples import order


@pytest.fixture
def address(client):
    return f"http://127.0.0.1:{client.port}/docs"


def form_of(page, name):
    return page.get_by_role("form", name=f"Try {name}", exact=True)


async def test_a_request_is_filled_in_sent_and_its_answer_shown(
    client, store, address, open_page
):
    await store.upsert([order(n, country="DE" if n % 2 else "<b>") for n in range(4)])
    visit = await open_page(address)
    page = visit.page
    form = form_of(page, "GET /api/orders")
    await form.get_by_label("country").fill("<b>")
    await form.get_by_label("limit").fill("1")
    await form.get_by_role("button", name="Send").click()

    await expect(form.get_by_role("status")).to_have_text(re.compile(r"^200 OK, \d+ ms$"))
    await expect(form.get_by_label("Headers of the answer")).to_contain_text(
        "content-type: application/json"
    )
    body = form.get_by_label("Body of the answer")
    await expect(body).to_contain_text('"country": "<b>"')
    assert await body.locator("b").count() == 0
    command = page.locator("#get_api_orders pre").first
    where = address.replace("docs", "api/orders")
    await expect(command).to_have_text(f"curl -sN '{where}?limit=1&country=%3Cb%3E'")

    await form.get_by_label("status").select_option("paid")
    await form.get_by_label("limit").fill("0")
    await form.get_by_role("button", name="Send").click()
    await expect(form.get_by_role("status")).to_contain_text("400 Bad Request")
    await expect(body).to_contain_text("a number from 1 to 100")
    assert visit.foreign_requests == []


async def test_a_path_a_header_a_body_and_a_token_are_sent(
    client, store, address, open_page, monkeypatch
):
    monkeypatch.setattr(ordering, "take", taken)
    page = (await open_page(address)).page
    one = form_of(page, "GET /api/orders/{order_id}")
    await one.get_by_label("order_id").fill("")
    await one.get_by_role("button", name="Send").click()
    assert await one.get_by_label("order_id").evaluate("field => field.validity.valueMissing")
    await one.get_by_label("order_id").fill("77")
    await one.get_by_role("button", name="Send").click()
    await expect(one.get_by_label("Body of the answer")).to_contain_text(
        "order 77 is not known"
    )

    post = form_of(page, "POST /api/orders")
    await post.locator("[name=body]").fill(
        '{"customer_id": 1234, "amount": 1, "country": "IT\'S"}'
    )
    await post.get_by_label("Idempotency-Key").fill("a1")
    await post.get_by_label("API token").fill("secret")
    async with page.expect_request("**/api/orders") as sent:
        await post.get_by_role("button", name="Send").click()
    headers = await (await sent.value).all_headers()
    assert (headers["authorization"], headers["idempotency-key"]) == ("Bearer secret", "a1")
    await expect(post.get_by_role("status")).to_contain_text("202 Accepted")
    await expect(post.get_by_label("Body of the answer")).to_contain_text("IT'S")
    command = page.locator("#post_api_orders pre").first
    await expect(command).to_contain_text('"Authorization: Bearer $ORDERAPP_API_TOKEN"')
    await expect(command).not_to_contain_text("secret")


async def test_a_stream_is_shown_as_it_comes_until_it_is_stopped(client, address, open_page):
    page = (await open_page(address)).page
    form = form_of(page, "GET /metrics")
    await form.get_by_role("button", name="Send").click()
    await expect(form.get_by_role("status")).to_contain_text("200 OK")
    await expect(form.get_by_label("Body of the answer")).to_contain_text("# HELP")
    await expect(form.get_by_role("button", name="Stop")).to_be_hidden()

    form = form_of(page, "GET /openapi.json")
    await form.get_by_role("button", name="Send").click()
    await expect(form.get_by_role("status")).to_contain_text("the first 65536 characters")
    body = form.get_by_label("Body of the answer")
    assert len(await body.text_content()) == 65_536


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
async def test_axe_finds_nothing_on_it_and_it_is_as_wide_as_the_window(
    client, store, address, open_page, scheme, width
):
    page = (await open_page(address, color_scheme=scheme, width=width)).page
    form = form_of(page, "GET /api/orders")
    await form.get_by_role("button", name="Send").click()
    await expect(form.get_by_role("status")).to_contain_text("200 OK")

    # The whole page takes axe a minute; every request is made of the same parts.
    parts = ["header", "#requests", "#get_api_orders", "#post_api_orders", "#Page", "footer"]
    found = await Axe().run(page, {"include": [[part] for part in parts]})
    assert [
        (v["id"], [n["html"] for n in v["nodes"]]) for v in found.response["violations"]
    ] == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_its_colours_are_those_that_were_chosen(client, address, open_page):
    page = (await open_page(address)).page
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    await page.get_by_label("Colours").select_option("dark")
    assert await page.evaluate(ground) == "rgb(13, 18, 24)"
    await page.reload()
    assert await page.evaluate(ground) == "rgb(13, 18, 24)"
