"""The dashboard of a real worker, in a real browser."""

import asyncio
import re
import time

from playwright.async_api import expect

from tests.e2e import records
from tests.e2e.worker import eventually
from tests.web_page import fake_orders
from tests.web_page.page import cell, expect_state, row_of, story, tones, try_it


def url(worker, path=""):
    return f"http://127.0.0.1:{worker.port}/{path}"


def serious(visit):
    """What the browser complained about; Chromium itself reports every 404 as an error, and
    an order is asked about before it is stored."""
    early = re.compile(r"status of 404 .*/api/orders/\d+\)$")
    return [error for error in visit.errors if not early.search(error)]


async def send(worker, *messages):
    await asyncio.to_thread(records.send, worker.kafka, messages)


async def test_orders_appear_on_the_page_with_their_verdict_and_payment(pipeline, open_page):
    visit = await open_page(url(pipeline))
    await expect_state(visit.page, "Live")
    first = 777_000_000
    await send(
        pipeline, records.order(first, 350.0, "DE"), records.order(first + 1, 350.0, "US")
    )

    for order_id, verdict in ((first, ["good", "wait"]), (first + 1, ["good"])):
        row = row_of(visit.page, order_id)
        await expect(row).to_contain_text("paid")
        await expect(row.locator(".chip")).to_have_count(len(verdict))
        assert await tones(row) == verdict
    assert visit.errors == []
    assert visit.foreign_requests == []


async def test_the_risky_order_is_followed_until_it_is_paid(pipeline, open_page):
    visit = await open_page(url(pipeline))
    page = visit.page
    await expect_state(page, "Live")
    await try_it(page)
    await page.get_by_role("button", name="Send a risky order").click()

    steps = story(page).locator("#story-steps")
    await expect(steps).to_contain_text("Paid")
    await expect(steps).to_contain_text("HIGH_AMOUNT_RISKY_COUNTRY")
    await expect(steps).to_contain_text("Accepted")
    await expect(steps).to_contain_text("Stored")
    await expect(story(page)).not_to_contain_text("Waits")
    order_id = int(page.url.rpartition("/")[2])
    row = row_of(page, order_id)
    await expect(row).to_contain_text("350.00")
    await expect(row).to_contain_text("high amount risky country")
    assert await tones(row) == ["good", "wait"]
    await expect(page.locator('[data-figure="alerts"]')).not_to_have_text("0")
    assert serious(visit) == []
    assert visit.foreign_requests == []


async def test_a_sent_order_is_found_by_filter_and_by_search(pipeline, open_page):
    await send(pipeline, records.order(779_000_000, 20.0, "NZ"))
    visit = await open_page(url(pipeline))
    page = visit.page
    choice = page.locator("#filter-country")
    await expect(choice.locator("option", has_text="NZ")).to_be_attached()
    await choice.select_option("NZ")
    await expect(page.locator("#rows tr")).to_have_count(1)
    await page.get_by_label("Status").select_option("paid")
    await expect(row_of(page, 779_000_000)).to_be_visible()
    await page.get_by_label("Status").select_option("alert")
    await expect(page.get_by_role("heading", name="No order matches")).to_be_visible()

    await page.get_by_role("searchbox", name="Search").fill("779000000")
    await page.keyboard.press("Enter")
    await expect(story(page)).to_contain_text("Judged")
    assert visit.errors == []


async def test_text_from_an_order_is_no_markup(pipeline, open_page):
    visit = await open_page(url(pipeline, "#/orders/778000000"))
    country = "<img src=x onerror=alert(1)>"
    # With so much revenue that it is among the few countries that are shown.
    await send(pipeline, records.order(778_000_000, 9_000.0, country))

    row = row_of(visit.page, 778_000_000)
    await expect(row).to_contain_text(country)
    await expect(story(visit.page)).to_contain_text(country)
    await expect(visit.page.locator("#countries")).to_contain_text(country)
    assert serious(visit) == []


async def test_a_dead_letter_is_seen_and_dropped_on_the_page(pipeline, open_page):
    order_id = 775_000_000
    await send(pipeline, (b"775000000", b'{"order_id": 775000000}'))
    visit = await open_page(url(pipeline, f"#/dead-letters?order_id={order_id}"))
    page = visit.page
    rows = page.locator("#letters-rows tr")
    await expect(rows).to_have_count(1)
    await rows.locator('[data-letter="place"] a').click()
    letter = page.locator("#letter")
    await expect(letter.locator("#letter-value")).to_have_text('{"order_id": 775000000}')
    await letter.get_by_role("button", name="Drop …").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Drop 1").click()
    await expect(dialog).to_contain_text("Dropped: 1.")
    await dialog.get_by_role("button", name="Close").click()
    await expect(letter).to_contain_text("dropped for")
    await expect(page.locator("#letters-counts")).to_contain_text("0 are open")
    assert serious(visit) == []
    assert visit.foreign_requests == []


#: Seconds that a newcomer may take, from the first look at the page to the proof.
NEWCOMER = 180


async def test_without_a_terminal_something_is_broken_mended_and_replayed(pipeline, open_page):
    began = time.monotonic()
    visit = await open_page(url(pipeline))
    page = visit.page
    await expect_state(page, "Live")
    await try_it(page)
    risky = page.get_by_role("button", name="Send a risky order")
    await risky.click()
    await expect(story(page).locator("#story-steps")).to_contain_text(
        "HIGH_AMOUNT_RISKY_COUNTRY"
    )
    await expect(story(page)).to_contain_text("Paid")
    paid = page.url

    await page.get_by_role("link", name="Break it").click()
    gateway = page.get_by_role("listitem", name="gateway timeout")
    try:
        await gateway.get_by_role("button", name="Switch on").click()
        await expect(gateway).to_contain_text("on: 100%")
        await expect(page.locator("#broken")).to_contain_text("gateway timeout (100%)")
        await risky.click()
        await expect(page).to_have_url(re.compile(r"#/orders/\d+$"))
        order_id = int(page.url.rpartition("/")[2])
        assert page.url != paid
        await expect(story(page).locator("#story-chips")).to_contain_text("dead letter")
    finally:
        await page.get_by_role("link", name="Show and mend it").click()
        await page.get_by_role("button", name="All off").click()
        await expect(page.locator("#faults-says")).to_contain_text("Done")
    await expect(gateway.locator(".chip")).to_have_text("off")
    await expect(page.locator("#broken")).to_be_hidden()

    await page.goto(url(pipeline, f"#/dead-letters?order_id={order_id}"))
    await page.get_by_role("button", name="Replay all 1 open …").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Replay 1").click()
    await expect(dialog).to_contain_text("Replayed: 1.")
    await dialog.get_by_role("button", name="Close").click()
    await page.goto(url(pipeline, f"#/orders/{order_id}"))
    await expect(story(page).locator("#story-chips")).to_contain_text("paid")

    await page.get_by_role("link", name="Flow").click()
    await page.get_by_role("button", name="Check all orders now").click()
    # Other tests' dead letters may be open.
    await expect(page.locator("#proof-result")).to_have_text(re.compile("^All agree"))
    took = time.monotonic() - began
    print(f"a newcomer's path: {took:.1f} s")
    assert took < NEWCOMER
    assert serious(visit) == []
    assert visit.foreign_requests == []


async def test_a_rule_is_tried_in_the_shadow_from_the_page(pipeline, open_page):
    visit = await open_page(url(pipeline, "#/rules/BLOCKED_COUNTRY"))
    page = visit.page
    rule = page.get_by_role("listitem", name="BLOCKED_COUNTRY")
    state, change = rule.get_by_label("state"), rule.get_by_role("button", name="Change")
    try:
        await state.select_option("shadow")
        await rule.get_by_label("countries").fill("QQ, QR")
        await change.click()
        await expect(rule).to_contain_text("Done")
        await send(pipeline, records.order(774_000_000, 20.0, "QQ"))
        await expect(rule.get_by_role("row").nth(1)).to_contain_text(
            re.compile(r"\d+, shadow\d+1 ")
        )
        await page.goto(url(pipeline, "#/orders/774000000"))
        await expect(story(page)).to_contain_text("Judged in the shadow")
        await story(page).get_by_role("link", name="blocked country").click()
        await expect(rule.get_by_role("heading")).to_be_focused()
    finally:
        await state.select_option("off")
        await rule.get_by_label("countries").fill("")
        await change.click()
        await expect(rule.locator(".chip")).to_have_text("off")
    assert serious(visit) == []
    assert visit.foreign_requests == []


async def test_the_page_finds_a_restarted_worker(start, open_page):
    worker = start().wait_ready()
    visit = await open_page(url(worker))
    await send(worker, records.order(1, 350.0, "DE"))
    await expect(row_of(visit.page, 1)).to_contain_text("paid")

    await asyncio.to_thread(worker.kill)
    await expect_state(visit.page, "Connection lost")
    await expect(visit.page.locator("#notice")).to_contain_text("no connection to the worker")
    await asyncio.to_thread(lambda: worker.start().wait_ready())
    await expect_state(visit.page, "Live")
    await send(worker, records.order(2, 20.0, "US"))
    await expect(row_of(visit.page, 2)).to_contain_text("paid")
    await expect(cell(visit.page, "Order", row=1)).to_have_text("1")


async def test_a_page_that_is_open_while_a_worker_starts_says_so_and_disturbs_nothing(
    start_alone, open_page
):
    worker = start_alone()
    alive = "the worker listens"
    await asyncio.to_thread(eventually, lambda: worker.get("/healthz")[0] == 200, alive)
    visit = await open_page(url(worker))
    await expect_state(visit.page, "Starting")
    await expect_state(visit.page, "Live")

    # A topic that is asked for before it is there would be an error in aiokafka's log.
    await send(worker, records.order(1, 350.0, "DE"))
    await expect(row_of(visit.page, 1)).to_contain_text("paid")
    assert "ERROR" not in worker.log


def keys(value):
    """The names in an answer; of a list those of its first item."""
    if isinstance(value, list):
        return [keys(value[0])] if value else []
    if isinstance(value, dict):
        return {name: keys(found) for name, found in value.items()}
    return None


async def test_the_fake_worker_of_the_page_tests_answers_like_this_one(pipeline):
    await send(pipeline, records.order(776_000_000, 350.0, "DE"))
    order = fake_orders.make_order(1, amount=350.0, country="DE")
    order["alerts"] = [fake_orders.stored(fake_orders.alert_of(order), "alert")]
    order["payment"] = fake_orders.stored(fake_orders.payment_of(order), "payment")

    def whole():
        order = pipeline.paid_order(776_000_000)
        return order if order and order["alerts"] else None

    found = await asyncio.to_thread(eventually, whole, "it is paid and has its alert")
    assert keys(found) == keys(fake_orders.story_of(order))
    assert sorted(step["step"] for step in found["timeline"]) == sorted(
        ["created", "accepted", "judged", "stored", "paid"]
    )

    def answer(path, name):
        """Once it has what is asked for: Kafka and the store have a second or two."""
        what = f"{name} of {path}"
        return eventually(lambda: (got := pipeline.get(path)[1]).get(name) and got, what)

    listed = await asyncio.to_thread(answer, "/api/orders?limit=1", "orders")
    assert keys(listed["orders"][0]) == keys(fake_orders.listed(order))
    assert set(listed) == {"status", "orders", "next"}
    stats = await asyncio.to_thread(answer, "/api/stats", "services")
    services = {
        name: {"group": "", "lag": 0, "oldest_seconds": None}
        for name in ("fraud", "payment", "analytics")
    }
    assert keys(stats) == keys(fake_orders.stats_of([order], services))
