"""A worker behind a real nginx, which serves it under a path, and a real browser before it."""

import http.client
import json
import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.e2e.worker import eventually
from tests.nginx import nginx
from tests.web_page.page import expect_state, row_of, story, try_it

CONFIG = (Path(__file__).parents[2] / "deploy/nginx.conf").read_text()
BARE = "server {{ listen 80; location / {{ proxy_pass http://127.0.0.1:{port}; {more} }} }}"
NAME, TOKEN = "orders.example.com", "the-token-of-this-test"
ORDER = {"customer_id": 1234, "amount": 350, "country": "DE"}


def ask(port, path, method="GET", body=None, **headers):
    """The answer, and its body; with the proxy's own name unless another `Host` is given."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    data = None if body is None else json.dumps(body)
    headers = {"Host": NAME, "Content-Type": "application/json"} | headers
    connection.request(method, path, data, headers)
    answer = connection.getresponse()
    found = answer.read()
    connection.close()
    return answer, found


@pytest.fixture
def behind(start, tmp_path):
    """A worker as docs/proxy.md has it; the port of the nginx before it."""
    worker = start(ORDERAPP_ALLOWED_HOSTS=NAME, ORDERAPP_API_TOKEN=TOKEN).wait_ready()
    directory = tmp_path / "nginx"
    directory.mkdir()
    with nginx(directory, CONFIG.replace("127.0.0.1:6066", f"127.0.0.1:{worker.port}")) as port:
        yield port


async def test_all_works_under_a_path(behind, open_page):
    visit = await open_page(f"http://127.0.0.1:{behind}/orders/")
    page = visit.page
    # Live: the stream of events is not held back.
    await expect_state(page, "Live")
    await try_it(page)
    await page.get_by_role("button", name="Send a risky order").click()
    await page.get_by_label("API token").fill(TOKEN)
    await page.keyboard.press("Enter")
    await expect(story(page).locator("#story-steps")).to_contain_text("Paid")
    order_id = int(page.url.rpartition("/")[2])
    await expect(row_of(page, order_id)).to_contain_text("350.00")
    await page.get_by_role("link", name="As JSON").click()
    await page.wait_for_url(f"**/orders/api/orders/{order_id}")
    await page.go_back()
    await page.get_by_role("link", name="API", exact=True).click()
    await page.wait_for_url("**/orders/docs")
    views = page.get_by_role("navigation", name="Views")
    await views.get_by_role("link", name="Orders").click()
    await expect_state(page, "Live")
    # The browser's own words for the 401 that asks for the token, for an order that is asked
    # about before it is stored, and for the icon of JSON, which is no business of the path's.
    known = re.compile(r"status of (401|404) .*/orders/api/orders(/\d+)?\)$|[0-9]/favicon.ico")
    assert [error for error in visit.errors if not known.search(error)] == []
    assert visit.foreign_requests == []

    check_the_api(behind, order_id)
    check_events_come_at_once(behind)


def check_the_api(port, order_id):
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    sent, body = ask(port, "/orders/api/orders", "POST", ORDER, **bearer)
    assert sent.status == 202
    links = json.loads(body)["links"]
    assert sent.headers["Location"] == links["self"]

    def followed():
        return ask(port, f"/orders/api/{links['self']}")[0].status == 200

    eventually(followed, "Location, read from where it was sent, is the order")
    assert ask(port, "/orders/api/orders", "POST", ORDER)[0].status == 401
    described = json.loads(ask(port, "/orders/openapi.json")[1])
    assert [server["url"] for server in described["servers"]] == ["."]
    assert ask(port, f"/orders/api/orders/{order_id}")[0].status == 200
    assert ask(port, "/orders/api/orders", Host="evil.example")[0].status == 421
    for path in ("/orders/metrics", "/orders/%6detrics", "/orders//metrics"):
        assert ask(port, path)[0].status == 404
    large = {f"Cookie-{n}": "x" * 12_000 for n in range(5)}
    assert ask(port, "/orders/healthz", **large)[0].status == 200


def check_events_come_at_once(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/orders/api/events", headers={"Host": NAME})
    stream = connection.getresponse()
    assert stream.headers["Content-Type"] == "text/event-stream"
    assert b"retry" in stream.fp.readline() + stream.fp.readline()
    sent, body = ask(port, "/orders/api/orders", "POST", ORDER, Authorization=f"Bearer {TOKEN}")
    assert sent.status == 202
    order_id = json.loads(body)["order"]["order_id"]
    lines = iter(stream.fp.readline, b"")
    assert any(f'"order_id":{order_id}'.encode() in line for line in lines)
    connection.close()


@pytest.mark.parametrize(
    "more",
    ["", "proxy_http_version 1.1; proxy_set_header X-Forwarded-For $remote_addr;"],
    ids=["nothing but the address", "one header"],
)
def test_without_a_token_nobody_sends_orders_through_a_proxy(pipeline, tmp_path, more):
    with nginx(tmp_path, BARE.format(port=pipeline.port, more=more)) as port:
        answer, body = ask(port, "/api/orders", "POST", ORDER)
        assert answer.status == 403
        assert "proxy" in json.loads(body)["detail"]
        assert "set ORDERAPP_API_TOKEN" in json.loads(body)["detail"]
        assert ask(port, "/metrics")[0].status == 404
        assert ask(port, "/api/orders")[0].status == 200
    assert ask(pipeline.port, "/api/orders", "POST", ORDER, Host="localhost")[0].status == 202
