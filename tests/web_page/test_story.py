"""One order's story, and sending an order that is followed to its end."""

import re

import pytest
from playwright.async_api import Page, expect

from orderapp.web.api.new_order import ALLOWED
from tests.browser import OpenPage
from tests.web_page.fake import FakeWorker
from tests.web_page.fake_orders import FIRST_ID, alert_of, make_order, stored
from tests.web_page.page import expect_state, row_of, story, try_it, until, words


async def steps(page: Page) -> list[str]:
    """The names of the steps that are shown."""
    return [await words(step) for step in await story(page).locator("li > b").all()]


async def test_a_link_to_an_order_opens_its_whole_story(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(
        make_order(7, amount=350.0, country="DE", trace_id="4bf92f3577b34da6a3ce929d0e0e4736")
    )
    worker.alert(FIRST_ID + 7)
    worker.pay(FIRST_ID + 7, attempts=3)
    page = (await open_page(f"{worker.url}#/orders/{FIRST_ID + 7}")).page

    shown = story(page)
    await expect(shown).to_contain_text("4bf92f3577b34da6a3ce929d0e0e4736")
    await expect(shown.get_by_role("heading")).to_have_text(f"Order {FIRST_ID + 7}")
    assert await steps(page) == [
        "Created",
        "Accepted",
        "Judged",
        "Stored",
        "Paid",
    ]
    text = await words(shown)
    for part in (
        "partition 1, offset 7", "orders[1]@7", "HIGH_AMOUNT_RISKY_COUNTRY", "3 attempts",
        "19:00:07.104 +104 ms", "350.00", "Created 23 Nov 2026, 19:00:07",
    ):  # fmt: skip
        assert part in text
    await expect(shown.get_by_role("link", name="As JSON")).to_have_attribute(
        "href", f"api/orders/{FIRST_ID + 7}"
    )


async def test_the_story_says_what_it_waits_for_and_goes_on_by_itself(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1))
    page = (await open_page(f"{worker.url}#/orders/{FIRST_ID + 1}")).page
    await expect(story(page)).to_contain_text("Waits for its payment")
    await expect(story(page)).to_contain_text("Waits for fraud's verdict")

    worker.pay(FIRST_ID + 1)
    await expect(story(page).locator("#story-steps")).to_contain_text("Paid")
    await expect(story(page)).not_to_contain_text("Waits")


async def test_what_a_rule_in_the_shadow_has_found_is_marked_and_is_no_alert(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    detail = "4 <i>orders</i>\u202e in 60 s"
    order = make_order(1)
    found = {**alert_of(order, "CUSTOMER_VELOCITY"), "detail": detail}
    worker.put(order | {"shadow": [found], "alerts": [stored(alert_of(order), "alert")]})
    page = (await open_page(f"{worker.url}#/orders/{FIRST_ID + 1}")).page

    step = story(page).locator("li", has_text="CUSTOMER_VELOCITY")
    await expect(step).to_have_text(re.compile(r"^Judged in the shadow .* no alert: "))
    await expect(step).to_contain_text(detail)
    await expect(step).to_have_attribute("data-tone", "calm")
    judged = story(page).locator("li", has_text="by fraud: HIGH_AMOUNT_RISKY_COUNTRY")
    await expect(judged).to_have_attribute("data-tone", "wait")
    await expect(story(page).locator(".chip", has_text="velocity")).to_have_count(0)


async def test_a_dead_letter_tells_its_reason(worker: FakeWorker, open_page: OpenPage) -> None:
    worker.put(make_order(1))
    worker.bury(FIRST_ID + 1, "the gateway timed out")
    page = (await open_page(f"{worker.url}#/orders/{FIRST_ID + 1}")).page

    await expect(story(page)).to_contain_text("Dead letter")
    await expect(story(page)).to_contain_text("the gateway timed out")


async def test_search_opens_the_story_and_an_unknown_order_is_said_to_be_unknown(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1))
    page = (await open_page(worker.url)).page
    field = page.get_by_role("searchbox", name="Search")
    for text in ("abc", "9999999999999999", f"{FIRST_ID + 1}0", "pay-", "#1 #2", ""):
        await field.fill("")
        await page.keyboard.insert_text(text)
        await field.press("Enter")
        await expect(field).to_have_value(text)
        await expect(field).to_have_accessible_description(
            "Search for an order or payment (123, #1234, pay-123), a customer (1000 to 9999) "
            "or a trace (32 hex digits)."
        )
        await expect(field).to_have_attribute("aria-invalid", "true")
        await expect(story(page)).to_be_hidden()
        await field.fill("1")
        await field.press("Enter")
        await expect(field).to_have_accessible_description("")
        await expect(field).not_to_have_attribute("aria-invalid", "true")
        await story(page).get_by_role("button", name="Close").click()

    await field.fill("123")
    await field.press("Enter")
    await expect(story(page)).to_contain_text("order 123 is not known")
    await expect(page.locator("#announcer")).to_have_text("order 123 is not known")

    await field.fill(str(FIRST_ID + 1))
    await field.press("Enter")
    await expect(story(page)).to_contain_text("Accepted")
    assert page.url.endswith(f"#/orders/{FIRST_ID + 1}")


@pytest.mark.parametrize("form", ["{}", "  {}\t", "#{}", "pay-{}", " PAY-{} "])
async def test_an_order_is_found_by_whatever_its_id_was_copied_from(
    worker: FakeWorker, open_page: OpenPage, form: str
) -> None:
    order_id = 9_007_199_254_740_991
    worker.put(make_order(0, order_id=order_id))
    page = (await open_page(worker.url)).page
    await page.get_by_role("searchbox", name="Search").focus()
    await page.keyboard.insert_text(form.format(order_id))
    await page.keyboard.press("Enter")

    await expect(story(page)).to_contain_text("Accepted")
    assert page.url.endswith(f"#/orders/{order_id}")


async def test_back_and_close_leave_the_story(worker: FakeWorker, open_page: OpenPage) -> None:
    worker.put(make_order(1))
    page = (await open_page(worker.url)).page
    link = page.get_by_role("link", name=str(FIRST_ID + 1))
    await link.click()
    await expect(story(page).get_by_role("heading")).to_be_focused()
    await expect(link).to_have_attribute("aria-current", "true")
    await page.keyboard.press("Escape")
    await expect(story(page)).to_be_hidden()
    await expect(link).to_be_focused()

    await link.click()
    await page.go_back()
    await expect(story(page)).to_be_hidden()


async def test_the_risky_order_turns_up_with_alert_and_payment(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1))
    visit = await open_page(worker.url)
    page = visit.page
    await expect_state(page, "Live")
    button = page.get_by_role("button", name="Send a risky order")
    await try_it(page)
    await button.click()

    risky = FIRST_ID + 500
    await expect(page.locator("#sent")).to_have_text(f"Order {risky} is accepted.")
    assert worker.posted[0][0] == {"customer_id": 1234, "amount": 350, "country": "DE"}
    await expect(story(page)).to_contain_text("not stored it yet")
    await expect(row_of(page, risky)).to_contain_text("accepted")
    await expect(button).to_be_focused()

    worker.accept(worker.made)
    worker.alert(risky)
    worker.pay(risky)
    await expect(row_of(page, risky)).to_contain_text("paid alert high amount risky country")
    await expect(story(page)).to_contain_text("Paid")
    await expect(page.locator("#announcer")).to_have_text(
        f"Order {risky}: paid, alert high amount risky country"
    )
    # Chromium itself reports every 404: it was asked about before it was stored.
    early = re.compile(r"status of 404 .*/api/orders/\d+\)$")
    assert [error for error in visit.errors if not early.search(error)] == []


async def test_the_form_sends_what_it_says(worker: FakeWorker, open_page: OpenPage) -> None:
    page = (await open_page(worker.url)).page
    await try_it(page)
    await page.get_by_label("Customer").fill(" 4321\t")
    await page.get_by_label("Amount").fill("  12,5 ")
    await page.locator("#send").get_by_label("Country").fill(" GB ")
    await page.get_by_role("button", name="Send order").click()

    await expect(page.locator("#sent")).to_contain_text("is accepted")
    assert worker.posted[0][0] == {"customer_id": 4321, "amount": 12.5, "country": "GB"}


@pytest.mark.parametrize(
    ("label", "texts"),
    [
        ("Customer", ["12345", "999", "", "12a4", "1234.0"]),
        ("Country", ["", " ", "W" * 65]),
        (
            "Amount",
            ["", "1,000", "1.000", "0x10", "1e2", "-5", "1,5,0", "Infinity", "1000000.01"],
        ),
    ],
)
async def test_a_wrong_value_is_not_sent_and_its_field_says_what_is_allowed(
    worker: FakeWorker, open_page: OpenPage, label: str, texts: list[str]
) -> None:
    page = (await open_page(worker.url)).page
    await try_it(page)
    field = page.locator("#send").get_by_label(label)
    right = await field.input_value()
    for text in texts:
        await field.fill("")
        await page.keyboard.insert_text(text)
        await field.press("Enter")
        name = await field.get_attribute("name")
        assert name
        await expect(field).to_have_accessible_description(f"Not sent: {ALLOWED[name]}.")
        await expect(field).to_have_attribute("aria-invalid", "true")
        await expect(field).to_be_focused()
        await expect(field).to_have_value(text)
        await field.fill(right)
        await field.press("Enter")
        await expect(page.locator("#sent")).to_contain_text("is accepted")
        await expect(field).not_to_have_attribute("aria-invalid", "true")
        await expect(field).to_have_accessible_description("")
    assert len(worker.posted) == len(texts)


async def test_what_the_worker_refuses_is_said_at_its_fields_too(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.wrong = {"country": "this country is closed", "other": "not known"}
    page = (await open_page(worker.url)).page
    await try_it(page)
    await page.get_by_role("button", name="Send order").click()

    await expect(page.locator("#sent")).to_have_text("this is no order")
    country = page.locator("#send").get_by_label("Country")
    await expect(country).to_have_accessible_description("this country is closed")
    await expect(country).to_be_focused()


async def test_a_worker_with_a_token_is_asked_with_it(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.token = "let-me-in"
    page = (await open_page(worker.url)).page
    field = page.get_by_label("API token")
    await try_it(page)
    await expect(field).to_be_visible()
    await page.get_by_role("button", name="Send a risky order").click()

    await expect(field).to_be_focused()
    await expect(page.locator("#sent")).to_contain_text("bearer token")
    await field.fill("let-me-in")
    await field.press("Enter")
    await expect(page.locator("#sent")).to_contain_text("is accepted")
    assert worker.posted[1][0]["amount"] == 350
    assert await page.evaluate("localStorage.length + sessionStorage.length") == 0
    assert await page.evaluate("document.cookie") == ""


async def test_where_no_order_is_taken_none_is_offered_and_the_way_out_is_said(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = (await open_page(worker.url)).page
    risky = page.get_by_role("button", name="Send a risky order")
    await expect_state(page, "Live")
    await try_it(page)
    worker.forbidden = "only with a token"  # the page has heard that all are taken
    await risky.click()
    way_out = page.locator("#send-refused")
    await expect(way_out).to_contain_text("Started with ORDERAPP_API_TOKEN")
    await expect(risky).to_be_hidden()
    await expect(page.locator("#send input:visible")).to_have_count(0)

    await page.reload()
    await try_it(page)
    await expect(way_out).to_be_visible()
    await expect(page.get_by_role("button", name="Send order")).to_be_hidden()


async def test_sending_again_after_no_answer_keeps_the_key(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.may_answer.clear()
    page = (await open_page(worker.url)).page
    button = page.get_by_role("button", name="Send a risky order")
    await try_it(page)
    await button.click()
    await expect(page.locator("#sent")).to_have_text("Sending …")
    await button.click()  # while the first is under way: nothing
    await worker.stop()
    await expect(page.locator("#sent")).to_have_text("There is no connection to the worker.")
    await worker.start()

    worker.may_answer.set()
    await button.click()
    await expect(page.locator("#sent")).to_contain_text("is accepted")
    await button.click()
    await expect(page.locator("#sent")).to_have_text(f"Order {FIRST_ID + 501} is accepted.")
    keys = [key for _, key in worker.posted]
    assert len(keys) == 3
    assert keys[0] == keys[1] != keys[2]


async def test_a_late_answer_about_one_order_is_not_shown_for_another(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1, country="DE"), make_order(2, country="GB"))
    page = (await open_page(worker.url)).page
    await expect(page.locator("#rows tr")).to_have_count(2)
    await story(page).evaluate(
        """node => { window.shown = []; new MutationObserver(() => window.shown.push(
          node.textContent)).observe(node, { childList: true, subtree: true }) }"""
    )
    worker.accept(make_order(3, country="IN"))  # not known to be stored: asked about later
    link = page.get_by_role("link", name=str(FIRST_ID + 3))
    await expect(link).to_be_visible()
    worker.story_delay = 0.4
    await page.get_by_role("link", name=str(FIRST_ID + 1)).click()
    await link.click()
    await expect(story(page).locator("#story-facts")).to_contain_text("IN")

    title = f"Order {FIRST_ID + 3}"
    shown = [text for text in await page.evaluate("window.shown") if title in text]
    assert shown
    assert [text for text in shown if "CountryDE" in text] == []


async def test_a_story_that_is_told_asks_again_after_an_answer_that_failed(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1))
    worker.pay(FIRST_ID + 1)
    page = (await open_page(f"{worker.url}#/orders/{FIRST_ID + 1}")).page
    await expect(story(page)).to_contain_text("Paid")
    await expect_state(page, "Live")
    worker.store_error = "the store did not answer within 2 s"
    worker.gap()
    await expect(page.locator("#story-note")).to_have_text(worker.store_error)

    worker.store_error = None
    await expect(page.locator("#story-note")).to_be_hidden()


async def test_a_verdict_that_is_not_known_is_said_and_asked_for_again(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    reason = "it is not known how far the fraud service is"
    worker.fraud = {"verdict": "UNKNOWN", "reason": reason}
    worker.put(make_order(1))
    worker.pay(FIRST_ID + 1)
    page = (await open_page(f"{worker.url}#/orders/{FIRST_ID + 1}")).page
    await expect(story(page).locator(".waiting")).to_contain_text(reason)

    worker.fraud = None
    await expect(story(page)).to_contain_text("Judged")
    await expect(story(page).locator(".waiting")).to_have_count(0)


async def test_a_verdict_that_fraud_gave_up_is_told_by_its_dead_letter_alone(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.fraud = {"verdict": "UNKNOWN", "reason": "the fraud service gave this order up"}
    worker.put(make_order(1))
    worker.pay(FIRST_ID + 1)
    worker.bury(FIRST_ID + 1, service="fraud")
    page = (await open_page(f"{worker.url}#/orders/{FIRST_ID + 1}")).page

    await expect(story(page)).to_contain_text("Dead letter")
    await expect(story(page).locator(".waiting")).to_have_count(0)


async def test_that_a_rule_could_not_judge_is_a_step_and_asked_for_no_more(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    reason = "the rule ODD could not judge it: division by zero"
    worker.fraud = {"verdict": "UNKNOWN", "reason": reason}
    worker.put(make_order(1))
    worker.pay(FIRST_ID + 1)
    page = (await open_page(f"{worker.url}#/orders/{FIRST_ID + 1}")).page

    step = story(page).locator("#story-steps li", has_text="Judged")
    await expect(step).to_contain_text(f"by fraud: {reason}")
    await expect(step).to_have_attribute("data-tone", "bad")
    await expect(story(page).locator(".waiting")).to_have_count(0)
    asked = worker.stories_asked
    await page.wait_for_timeout(1200)
    assert worker.stories_asked == asked


async def test_a_step_of_another_day_has_its_date(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1))
    worker.pay(FIRST_ID + 1)
    worker.orders[FIRST_ID + 1]["payment"]["paid_at"] = "2026-11-25T06:00:00.000000Z"
    page = (await open_page(f"{worker.url}#/orders/{FIRST_ID + 1}")).page

    times = story(page).locator("#story-steps time")
    await expect(times.first).to_have_text("19:00:01.000")
    await expect(times.last).to_have_text("25 Nov 2026, 07:00:00 +35 h")


async def test_what_stands_below_a_story_can_be_scrolled_to(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(*(make_order(n) for n in range(30)))
    worker.pay(FIRST_ID + 1)
    page = (await open_page(worker.url, height=500)).page
    side = page.locator(".narrow")
    await expect(side).to_have_css("position", "sticky")

    await page.goto(f"{worker.url}#/orders/{FIRST_ID + 1}")
    await expect(story(page)).to_contain_text("Paid")
    await expect(side).to_have_css("position", "static")


async def test_a_link_to_an_id_that_no_order_has_says_so(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = (await open_page(f"{worker.url}#/orders/9999999999999999")).page

    await expect(page.locator("#order_id-wrong")).to_contain_text("up to 9007199254740991")
    await expect(story(page)).to_be_hidden()


async def test_an_id_that_no_order_has_is_asked_about_for_a_while_only(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = (await open_page("about:blank")).page
    await page.clock.install()
    await page.goto(f"{worker.url}#/orders/{FIRST_ID + 1}")
    await expect(story(page)).to_contain_text("is not known")
    await until(lambda: worker.stories_asked > 3)

    await page.clock.fast_forward(21_000)
    await page.wait_for_timeout(1000)  # what was on its way
    asked = worker.stories_asked
    for _ in range(3):
        await page.clock.fast_forward(6_000)
        await page.wait_for_timeout(500)
    assert worker.stories_asked == asked
    await expect_state(page, "Live")
    worker.accept(make_order(1))
    worker.pay(FIRST_ID + 1)
    await expect(story(page)).to_contain_text("Paid")


async def test_a_tap_anywhere_on_a_row_opens_its_order_beside_the_list(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(*(make_order(n) for n in range(1, 31)))
    page = (await open_page(worker.url, width=390, height=844)).page
    row = row_of(page, FIRST_ID + 10)
    await row.scroll_into_view_if_needed()
    await row.locator('[data-cell="amount"]').click()

    await expect(story(page).get_by_role("heading")).to_have_text(f"Order {FIRST_ID + 10}")
    await expect(story(page)).to_be_in_viewport(ratio=0.99)
    await expect(row).to_be_attached()
    await page.keyboard.press("Escape")
    await expect(row.get_by_role("link")).to_be_focused()
    await expect(row).to_be_in_viewport()


async def test_an_order_whose_story_is_open_already_does_not_take_the_next_ones_focus(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1))
    sent = FIRST_ID + 500
    page = (await open_page(f"{worker.url}#/orders/{sent}")).page
    await expect(story(page)).to_contain_text("is not known")
    await try_it(page)
    await page.get_by_role("button", name="Send a risky order").click()
    await expect(page.locator("#sent")).to_have_text(f"Order {sent} is accepted.")

    await page.get_by_role("link", name=str(FIRST_ID + 1)).click()
    await expect(story(page).get_by_role("heading")).to_have_text(f"Order {FIRST_ID + 1}")
    await expect(story(page).get_by_role("heading")).to_be_focused()


async def test_the_form_is_a_drawer_and_the_search_a_key_away(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(*(make_order(n) for n in range(1, 4)))
    page = (await open_page(f"{worker.url}#/dead-letters?service=payment")).page
    opener = page.get_by_role("button", name="Try it")
    await expect(opener).to_have_attribute("aria-expanded", "false")
    await opener.press("Enter")
    await expect(page.get_by_role("button", name="Send a risky order")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(opener).to_be_focused()
    await expect(page.locator("#actions")).to_be_hidden()

    await page.keyboard.press("/")
    field = page.get_by_role("searchbox", name="Search")
    await expect(field).to_be_focused()
    await page.keyboard.type("1/")
    await expect(field).to_have_value("1/")
    await field.fill(f"#{FIRST_ID + 2}")
    await field.press("Enter")
    await expect(story(page).get_by_role("heading")).to_be_focused()
    assert page.url.endswith(f"#/orders/{FIRST_ID + 2}")
    await expect(page.locator("#list")).to_be_visible()


async def test_the_story_leads_to_the_orders_above_and_below_in_the_list(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(*(make_order(n) for n in range(1, 4)))
    page = (await open_page(f"{worker.url}#/orders/{FIRST_ID + 2}")).page
    await expect(page.locator("#rows tr")).to_have_count(3)
    newer = story(page).get_by_role("button", name="The order above")
    older = story(page).get_by_role("button", name="The order below")
    heading = story(page).get_by_role("heading")
    await newer.click()
    await expect(heading).to_have_text(f"Order {FIRST_ID + 3}")
    await expect(newer).to_be_disabled()
    await expect(heading).to_be_focused()
    await older.click()
    await older.click()
    await expect(heading).to_have_text(f"Order {FIRST_ID + 1}")
    await expect(older).to_be_disabled()
    await page.go_back()
    await expect(heading).to_have_text(f"Order {FIRST_ID + 2}")


@pytest.mark.parametrize(("width", "height", "least"), [(1280, 720, 12), (390, 844, 4)])
async def test_orders_are_in_the_first_view(
    worker: FakeWorker, open_page: OpenPage, width: int, height: int, least: int
) -> None:
    worker.put(*(make_order(n) for n in range(1, 31)))
    page = (await open_page(worker.url, width=width, height=height)).page
    await expect(page.locator("#rows tr")).to_have_count(25)
    await expect_state(page, "Live")
    await expect(page.locator("#environment")).to_have_text("staging")
    row = await page.locator("#rows tr").nth(least - 1).bounding_box()
    assert row is not None
    assert row["y"] + row["height"] < height
