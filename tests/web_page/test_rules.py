"""The view of fraud's rules: how each is in force, what was counted, and what changes it."""

import asyncio
import re

import msgspec
import pytest
from aiohttp.web import Response
from playwright.async_api import Locator, Page, Route, expect

from orderapp.backtest_report import RuleTest
from orderapp.web.api.rules_answer import OneRule, RuleList
from tests.browser import OpenPage
from tests.web_page.fake import FakeWorker, problem
from tests.web_page.fake_orders import FIRST_ID, alert_of, make_order, stored
from tests.web_page.fake_rules import TEST, answer_test
from tests.web_page.page import story
from tests.web_page.test_accessibility import tab_until
from tests.web_page.test_letters import MARKUP, no_findings

RISKY, VELOCITY = "HIGH_AMOUNT_RISKY_COUNTRY", "CUSTOMER_VELOCITY"


async def open_rules(
    worker: FakeWorker, open_page: OpenPage, path: str = "", **options
) -> Page:
    page = (await open_page(f"{worker.url}#/rules{path}", **options)).page
    await expect(page.locator(".rule")).to_have_count(len(worker.rules.rules))
    return page


def rule(page: Page, rule_id: str) -> Locator:
    return page.get_by_role("listitem", name=re.compile(f"^{rule_id}"))


def change(one: Locator) -> Locator:
    return one.get_by_role("button", name="Change")


async def test_a_rule_says_what_it_finds_how_it_is_and_what_was_counted(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.rules.put(RISKY, MARKUP, "shadow", limit=250.5)
    worker.rules.count(RISKY, 2, "shadow", 400, 34, 2)
    worker.rules.rules[VELOCITY]["counted"] = None
    visit = await open_page(worker.url)
    await visit.page.get_by_role("link", name="Rules", exact=True).click()
    page = visit.page

    risky = rule(page, RISKY)
    await expect(risky).to_contain_text("An order above the limit from a country")
    await expect(risky.locator(".chip")).to_have_text("shadow")
    await expect(risky).to_contain_text(f"Version 2, by {MARKUP}, 23 Nov")
    await expect(risky.get_by_label("limit")).to_have_value("250.5")
    await expect(risky.get_by_label("safe countries")).to_have_value("CA,US")
    await expect(risky).to_contain_text("A number from 0 to 1,000,000,000,000. Default: 300.")
    rows = risky.get_by_role("row")
    assert [" ".join((await row.inner_text()).split()) for row in await rows.all()] == [
        "Version Judged Raised Failed",
        "2, shadow 400 34 (8.5%) 2",
        "1, active 1,000 34 (3.4%) 0",
    ]
    velocity = rule(page, VELOCITY)
    await expect(velocity).to_contain_text("Version 1, as its file has it.")
    await expect(velocity).to_contain_text("This worker has no fraud")
    await expect(velocity).to_contain_text("How long a customer's orders are remembered.")
    changes = page.locator("#rules-changes li")
    await expect(changes).to_have_text(
        re.compile(
            re.escape(f"{RISKY} to shadow, limit=250.5 safe_countries=CA,US, by {MARKUP}")
        )
    )
    assert await page.locator("#rules img").count() == 0
    assert visit.errors == []


async def test_state_and_parameters_are_changed_and_only_what_was_entered_is_sent(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = await open_rules(worker, open_page)
    velocity, risky = rule(page, VELOCITY), rule(page, RISKY)
    await page.get_by_label("Your name").fill("ann")
    await change(velocity).click()
    await expect(velocity).to_contain_text("It is so already")
    await velocity.get_by_label("state").select_option("shadow")
    await velocity.get_by_label("limit").fill(" 4 ")
    await change(velocity).click()
    await expect(velocity).to_contain_text("Done: it holds in this worker")
    await expect(velocity.locator(".chip")).to_have_text("shadow")
    await expect(velocity).to_contain_text("Version 2, by ann")
    await expect(velocity.get_by_label("limit")).to_have_value("4")
    await risky.get_by_label("safe countries").fill("US, CA , MX,")
    await risky.get_by_label("limit").fill("99,5")
    await risky.get_by_label("limit").press("Enter")
    await expect(risky).to_contain_text("Version 2, by ann")
    assert worker.rules.came == [
        ('"1"', {"state": "shadow", "parameters": {"limit": 4}, "author": "ann"}),
        (
            '"1"',
            {
                "parameters": {"limit": 99.5, "safe_countries": ["US", "CA", "MX"]},
                "author": "ann",
            },
        ),
    ]
    await risky.get_by_label("limit").fill("7")
    await risky.get_by_role("button", name="Discard").click()
    await expect(risky.get_by_label("limit")).to_have_value("99.5")
    await expect(risky.get_by_role("button", name="Discard")).to_be_hidden()


async def test_the_commands_say_what_was_entered(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = await open_rules(worker, open_page)
    risky = rule(page, RISKY)
    first, second = risky.locator("code").first, risky.locator("code").last
    set_it = f"faust -A orderapp rules set {RISKY} --state"
    await expect(first).to_have_text(
        f"{set_it} active --set limit=300 --set safe_countries=CA,US"
    )
    await risky.get_by_label("state").select_option("off")
    await risky.get_by_label("safe countries").fill("Côte d'Ivoire")
    quoted = "--set limit=300 --set 'safe_countries=Côte d'\\''Ivoire'"
    await expect(first).to_have_text(f"{set_it} off {quoted} --version 1")
    await expect(second).to_have_text(
        f"faust -A orderapp rules test {RISKY} {quoted} --since 7d"
    )
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await risky.get_by_role("button", name="Copy").first.click()
    await expect(risky.get_by_role("button", name="Copied")).to_be_visible()
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied == await first.inner_text()


async def test_of_two_people_the_second_one_hears_what_the_first_has_set(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = await open_rules(worker, open_page)
    velocity = rule(page, VELOCITY)
    await velocity.get_by_label("limit").fill("5")
    worker.rules.put(VELOCITY, "ann", "active", limit=4)
    await expect(velocity.locator(".chip")).to_have_text("active")
    await expect(velocity.get_by_label("state")).to_have_value("active")
    await expect(velocity.get_by_label("limit")).to_have_value("5")
    await change(velocity).click()
    await expect(velocity).to_contain_text(
        "Not changed: ann has set it to active, limit=4 seconds=60 meanwhile (version 2). "
        "Press again to change that."
    )
    await change(velocity).click()
    await expect(velocity).to_contain_text("Version 3, by page")
    assert worker.rules.rules[VELOCITY]["state"] == "active"
    assert worker.rules.rules[VELOCITY]["parameters"]["limit"] == 5


async def answer_late(route: Route) -> None:
    await asyncio.sleep(1)
    await route.continue_()


async def test_what_is_wrong_is_said_at_its_field(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.token = worker.rules.token = "let-me-in"
    page = await open_rules(worker, open_page)
    velocity, risky = rule(page, VELOCITY), rule(page, RISKY)
    limit, token = velocity.get_by_label("limit"), page.locator("#rules-token input")
    said = "is not allowed: give a whole number from 1 to 999."
    for wrong in ("0", "1000", "1.5", "x", ""):
        await limit.fill(wrong)
        await limit.press("Enter")
        await expect(limit).to_be_focused()
        await expect(limit).to_have_attribute("aria-invalid", "true")
        await expect(limit).to_have_accessible_description(
            re.compile(re.escape(f"{wrong or 'Nothing'} {said}"))
        )
    await expect(velocity).to_contain_text("Not changed: look at limit.")
    await risky.get_by_label("safe countries").fill("W" * 65)
    await change(risky).click()
    await expect(risky).to_contain_text(f"{'W' * 40}… is not allowed: give a list, with commas")
    assert worker.rules.came == []

    await limit.fill("4")
    await limit.press("Enter")
    await expect(velocity).to_contain_text("this needs the right token")
    await expect(token).to_be_focused()
    await token.fill("let-me-in")
    # Who tries again at once is not held up by the look for what there is now.
    await page.route(re.compile("/api/rules$"), answer_late)
    text = f"{VELOCITY}: limit=4 is not allowed: it is an even number"
    worker.rules.problem = lambda: problem(422, text)
    await limit.press("Enter")
    await expect(limit).to_have_accessible_description(re.compile("it is an even number"))
    worker.rules.problem = lambda: problem(403, "not from here")
    await limit.press("Enter")
    await expect(velocity).to_contain_text("not from here")
    worker.rules.problem = None
    await limit.press("Enter")
    await expect(velocity).to_contain_text("Version 2, by page")
    await expect(limit).not_to_have_attribute("aria-invalid", "true")
    await expect(token).to_be_hidden()


KINDS = {
    "flag": {"type": "boolean", "default": False},
    "mode": {"enum": ["all", "some"], "default": "all"},
    "word": {"type": "string", "maxLength": 3, "default": "abc"},
    "above": {"type": "number", "exclusiveMinimum": 0, "default": 1.5},
    "other": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
}


async def test_every_kind_of_parameter_has_its_field(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.rules.declare("ODD", "Odd.", "off", **KINDS)
    page = await open_rules(worker, open_page)
    odd = rule(page, "ODD")
    await odd.get_by_label("flag").select_option("true")
    await odd.get_by_label("mode").select_option("some")
    for name, wrong, right in (
        ("word", "abcd", "de"),
        ("above", "0", "1e-3"),
        ("other", "{", "7"),
    ):
        field = odd.get_by_label(name)
        await field.fill(wrong)
        await change(odd).click()
        await expect(field).to_have_attribute("aria-invalid", "true")
        await field.fill(right)
    await change(odd).click()
    await expect(odd).to_contain_text("Done")
    assert worker.rules.rules["ODD"]["parameters"] == {
        "flag": True,
        "mode": "some",
        "word": "de",
        "above": 0.001,
        "other": 7,
    }


async def test_where_nothing_may_be_changed_the_way_out_is_said(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.forbidden = "only on this machine"
    page = await open_rules(worker, open_page)
    await expect(page.locator("#rules-refused")).to_contain_text(
        "start the worker with ORDERAPP_API_TOKEN"
    )
    await expect(page.locator("#rules :is(input, select):visible")).to_have_count(0)
    risky = rule(page, RISKY)
    await expect(risky.locator(".rule-values")).to_have_text("limit=300 safe_countries=CA,US")
    await expect(risky).to_contain_text(f"rules set {RISKY} --state active")
    await expect(change(risky)).to_have_count(0)


async def test_an_orders_story_and_the_alerts_lead_to_the_rules(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1))
    order = worker.orders[FIRST_ID + 1]
    order["alerts"].append(stored(alert_of(order), "alert"))
    order["shadow"].append(stored(alert_of(order, VELOCITY), "shadow"))
    page = (await open_page(f"{worker.url}#/orders/{FIRST_ID + 1}")).page
    links = story(page).locator("dd a[href^='#/rules/']")
    await expect(links).to_have_text(["high amount risky country", "customer velocity"])
    await page.get_by_role("link", name="100% of orders").click()
    await expect(page.locator("#rules-title")).to_be_visible()
    await page.go_back()
    await links.last.click()

    await expect(page).to_have_title(f"Rule {VELOCITY}: orderapp")
    await expect(rule(page, VELOCITY).get_by_role("heading")).to_be_focused()
    await expect(rule(page, VELOCITY)).to_have_attribute("data-open", "true")
    await expect(rule(page, RISKY)).to_have_attribute("data-open", "false")
    await page.goto(f"{worker.url}#/rules/{RISKY}")
    await expect(rule(page, RISKY).get_by_role("heading")).to_be_focused()
    await page.goto(f"{worker.url}#/rules/GONE")
    await expect(page.locator("#rules-unknown")).to_have_text(
        "There is no rule GONE in this worker."
    )


async def test_nothing_is_asked_while_nobody_looks(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = (await open_page(worker.url)).page
    await expect(page.locator("[data-figure=orders]")).to_have_text("0")
    assert worker.rules.listed == 0
    await page.get_by_role("link", name="Rules", exact=True).click()
    await expect(page.locator(".rule")).to_have_count(2)
    await page.get_by_role("link", name="Orders", exact=True).click()
    asked = worker.rules.listed
    await page.wait_for_timeout(2500)
    assert worker.rules.listed == asked


async def test_a_rule_is_tried_on_history_by_the_keyboard_and_its_examples_lead_to_orders(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    may_answer = asyncio.Event()

    async def answer_late() -> Response:
        await may_answer.wait()
        return await answer_test()

    worker.rules.answer_test = answer_late
    worker.put(make_order(1))
    page = await open_rules(worker, open_page)
    velocity = rule(page, VELOCITY)
    await velocity.get_by_label("limit").fill("0")
    await velocity.get_by_role("button", name="Test").click()
    await expect(velocity).to_contain_text("Not tested: look at limit.")
    await velocity.get_by_label("limit").fill("4")
    test = velocity.get_by_role("button", name=f"Test {VELOCITY} on the last 7 days")
    await test.focus()
    await page.keyboard.press("Enter")
    await expect(velocity).to_contain_text("Testing, for half a minute at most")
    await page.keyboard.press("Enter")
    may_answer.set()

    await expect(velocity.get_by_role("status").last).to_have_text(
        "With limit=4 seconds=60, of 1,200 orders: 12 raised (1%). Of these 5 are raised "
        "already by the rules as they are, and 7 would be new; 3 that it raises now would be "
        "gone. 2 could not be judged; the first: order 7: it failed. 1 record can't be "
        "read as orders."
    )
    assert worker.rules.tested == [(VELOCITY, "set=limit%3D4&since=7d")]
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    rows = velocity.get_by_role("table").get_by_role("row")
    await expect(rows.first).to_have_text("By countryRaisedAlreadyNewGone")
    await expect(rows.nth(1)).to_have_text("<b>012570")
    await expect(velocity).to_contain_text("By country, the first 24 of 30")
    await expect(rows).to_have_count(25)
    await expect(velocity).to_contain_text("350.00 from DE, customer 1234, 5 orders in 60 s")
    links = velocity.locator("li a")
    await expect(links).to_have_count(10)
    await links.first.click()
    await expect(story(page)).to_contain_text(str(FIRST_ID + 1))


async def test_a_test_that_can_not_be_made_says_why(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.forbidden = "only on this machine"

    async def busy() -> Response:
        return problem(503, "a rule is being tested, and a worker tests one at a time")

    worker.rules.answer_test = busy
    page = await open_rules(worker, open_page)
    risky = rule(page, RISKY)
    test = risky.get_by_role("button", name="Test")
    await test.click()
    await expect(risky).to_contain_text("a rule is being tested")
    assert worker.rules.tested == [(RISKY, "since=7d")]
    worker.rules.answer_test = answer_test
    await test.click()
    await expect(risky).to_contain_text("12 raised")
    await expect(risky).not_to_contain_text("is being tested")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_rules_are_for_everybody_at_every_width(
    worker: FakeWorker, open_page: OpenPage, scheme: str
) -> None:
    worker.token = "x"
    worker.rules.declare(
        "W" * 50, "W" * 200, "off", **{"w" * 60: {"type": "string", "default": ""}}
    )
    worker.rules.put(RISKY, "W" * 100, "shadow", safe_countries=["W" * 64])
    worker.rules.count(RISKY, 2, "shadow", 400, 34, 2)
    page = await open_rules(worker, open_page, f"/{RISKY}", color_scheme=scheme)
    limit = rule(page, RISKY).get_by_label("limit")
    await limit.fill("x")
    await limit.press("Enter")
    await expect(limit).to_have_attribute("aria-invalid", "true")
    await rule(page, VELOCITY).get_by_role("button", name="Test").click()
    for title in ("By country", "By hour"):
        await rule(page, VELOCITY).get_by_text(title).first.click()
    for width in (320, 390, 768, 1280, 2560):
        await page.set_viewport_size({"width": width, "height": 900})
        assert width == await page.evaluate("document.scrollingElement.scrollWidth")
        if width in {390, 1280}:
            await no_findings(page, scheme)
    if scheme == "dark":
        return
    await page.emulate_media(forced_colors="active")
    await expect(rule(page, RISKY)).to_have_css("outline-style", "solid")
    await page.emulate_media(media="print", forced_colors="none")
    await expect(page.locator(":is(button, input, select):visible")).to_have_count(0)
    await expect(rule(page, RISKY).locator(".rule-values")).to_be_visible()


async def test_a_rule_is_changed_by_the_keyboard_alone(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = await open_rules(worker, open_page)
    passed = await tab_until(page, f"rule-{VELOCITY}-is")
    assert "rules-author" in passed
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Tab")
    await page.keyboard.type("7")
    await page.keyboard.press("Enter")
    await expect(rule(page, VELOCITY).locator(".chip")).to_have_text("shadow")
    assert worker.rules.rules[VELOCITY]["parameters"]["limit"] == 7


async def test_the_fake_rules_are_those_of_the_api(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    visit = await open_page("about:blank")
    request, url = visit.page.request, f"{worker.url}api/rules"
    put = {"data": {"state": "off", "author": "ann"}, "headers": {"If-Match": '"1"'}}
    one = await request.put(f"{url}/{RISKY}", **put)
    msgspec.convert(await one.json(), OneRule)
    found = await (await request.get(url)).json()
    assert msgspec.to_builtins(msgspec.convert(found, RuleList)) == found
    assert msgspec.to_builtins(msgspec.convert(TEST, RuleTest)) == TEST
