"""The view of the flow: the picture, the same as tables, and one topic or service."""

import re

import msgspec
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from orderapp.web.api.history import History
from orderapp.web.api.messages import MessagePage
from orderapp.web.api.reconcile import Reconcile
from orderapp.web.api.topology_answer import Topology
from tests.browser import OpenPage
from tests.web_page.fake import FakeWorker, problem
from tests.web_page.fake_flow import make_check, make_message, make_service, make_topic
from tests.web_page.fake_letters import shown
from tests.web_page.page import hide, until
from tests.web_page.test_accessibility import CONTRASTS

MARKUP = '<img src=x onerror="alert(1)">'


async def open_flow(
    worker: FakeWorker, open_page: OpenPage, path: str = "", **options: str
) -> Page:
    page = (await open_page(f"{worker.url}#/flow{path}", **options)).page
    await expect(page.locator("#flow-services tr")).to_have_count(len(worker.flow.services))
    return page


async def test_the_picture_shows_what_is_connected_and_the_tables_say_the_same(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.flow.services["payment"] = make_service(
        "payment", health="slow", lag=1500, oldest_seconds=12.0
    )
    worker.flow.services["loyalty"] = make_service("loyalty", health="nobody", members=[])
    worker.flow.store["answers"] = False
    visit = await open_page(worker.url)
    page = visit.page
    await page.get_by_role("link", name="Flow", exact=True).click()

    picture = page.locator("#flow-picture svg")
    await expect(picture.get_by_role("link")).to_have_count(6 + 9 + 1)
    await expect(page).to_have_title("Flow: orderapp")
    for name in (
        "service payment: slow: 12 s, lag 1,500, 2 workers",
        "service loyalty: nobody runs it, lag 0, 0 workers",
        "service producer: runs here",
        "topic orders: 12.5/s, 1,234 records",
    ):
        await expect(picture.get_by_role("link", name=name)).to_be_visible()
    await expect(picture.get_by_label("store SQLite: does not answer")).to_be_visible()
    assert "loyalty-points" in (await picture.locator("desc").text_content() or "")
    # From the left to the right, as messages go.
    names = ("producer", "orders", "payment", "payments", "analytics", "SQLite", "this page")
    boxes = [await picture.get_by_text(name, exact=True).bounding_box() for name in names]
    assert sorted(box["x"] for box in boxes if box) == [box["x"] for box in boxes if box]
    await expect(page.get_by_role("row", name=re.compile("^loyalty nobody"))).to_contain_text(
        "nobody runs it"
    )
    row = page.get_by_role("row", name=re.compile("^payments 12"))
    await expect(row).to_contain_text("analytics, loyalty")
    assert visit.errors == []


async def test_figures_change_under_a_focus_that_stays_and_nobody_asks_unseen(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = await open_flow(worker, open_page)
    link = page.locator('#flow-picture a[href="#/flow/topic/orders"]')
    await link.focus()
    worker.flow.topics["orders"]["per_second"] = 99.0
    await expect(link).to_contain_text("99/s")
    await expect(link).to_be_focused()

    await hide(page, True)
    await page.wait_for_timeout(300)
    looks = worker.flow.looks
    await page.wait_for_timeout(2500)
    assert worker.flow.looks == looks
    await hide(page, False)
    await until(lambda: worker.flow.looks > looks)
    await page.get_by_role("link", name="Orders", exact=True).click()
    await page.wait_for_timeout(300)
    looks = worker.flow.looks
    await page.wait_for_timeout(2500)
    assert worker.flow.looks == looks


async def test_what_is_not_known_is_said_and_a_failure_is_not_the_end(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.flow.problem = lambda: problem(503, "Kafka is away")
    page = (await open_page(f"{worker.url}#/flow")).page
    await expect(page.locator("#flow-problem")).to_have_text(
        "Kafka is away The page goes on trying."
    )
    worker.flow.problem = None
    worker.flow.unknown = ["lag: Kafka did not say it in time"]
    worker.flow.services["fraud"] = make_service(
        "fraud", health="unknown", lag=None, members=None, group=None, partitions=None
    )
    worker.flow.topics["orders"] = make_topic("orders", per_second=None, records=None)
    await expect(page.locator("#flow-unknown")).to_have_text(
        "Not known: lag: Kafka did not say it in time"
    )
    await expect(page.locator("#flow-problem")).to_be_hidden()
    await expect(page.get_by_role("link", name="service fraud: not known")).to_be_visible()
    row = page.locator("#flow-topics tr").first
    await expect(row).to_contain_text("not known")


async def test_a_topic_leads_to_its_messages_by_keyboard_and_text_is_no_markup(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.flow.messages[0] = make_message(
        20, key=None, value=shown(MARKUP, length=9000), header_count=7,
        headers=[{"name": MARKUP, "value": shown("ff00", "hex", length=2, shown=2)}],
    )  # fmt: skip
    worker.flow.messages[1] = make_message(19, value=None)
    worker.flow.whole = shown(MARKUP + " and all the rest", length=9000)
    page = await open_flow(worker, open_page)
    await page.locator('#flow-topics a[href="#/flow/topic/orders"]').focus()
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("heading", name="Topic orders")).to_be_focused()
    await expect(page).to_have_title("Flow: topic/orders: orderapp")
    items = page.locator("#flow-messages > li")
    await expect(items).to_have_count(20)
    await expect(items.nth(0)).to_contain_text("3:20")
    await expect(items.nth(0)).to_contain_text("no key")
    await expect(items.nth(1)).to_contain_text("null")
    await expect(page.locator("#flow-messages-note")).to_have_text("20 messages of 126.")
    await items.nth(0).locator("summary").focus()
    await page.keyboard.press("Enter")
    await expect(items.nth(0)).to_contain_text("the first 30 are shown")
    await expect(items.nth(0)).to_contain_text("7 headers, the first:")
    await expect(items.nth(0)).to_contain_text("ff 00 (hex)")
    await items.nth(0).get_by_role("button", name="Show more of it").click()
    await expect(items.nth(0).locator("pre")).to_have_text(MARKUP + " and all the rest")
    assert await page.locator("#flow img").count() == 0

    await page.keyboard.press("Escape")
    await expect(page.locator("#flow-detail")).to_be_hidden()
    assert page.url.endswith("#/flow")


async def test_messages_are_asked_for_by_place_and_time_and_that_is_in_the_address(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = await open_flow(worker, open_page, "/topic/orders")
    form = page.locator("#flow-ask")
    await form.get_by_label("Partition").select_option("3")
    await form.get_by_label("From offset").fill("18")
    await form.get_by_role("button", name="Show").click()
    await expect(page.locator("#flow-messages > li")).to_have_count(3)
    assert page.url.endswith("#/flow/topic/orders?partition=3&offset=18")
    assert worker.flow.asked[-1] == (
        "orders", {"limit": "20", "partition": "3", "offset": "18"}
    )  # fmt: skip
    await page.reload()
    await expect(page.locator("#flow-messages > li")).to_have_count(3)
    await expect(form.get_by_label("From offset")).to_have_value("18")

    await form.get_by_role("button", name="Newest").click()
    await expect(page.locator("#flow-messages > li")).to_have_count(20)
    await form.get_by_label("From time").fill("2026-11-23T19:00:00")
    worker.flow.problem = lambda: problem(400, "since is not allowed")
    await form.get_by_role("button", name="Show").click()
    await expect(page.locator("#flow-messages-problem")).to_have_text("since is not allowed")
    asked = worker.flow.asked[-1][1]
    assert asked["since"] == "2026-11-23T18:00:00.000Z", "in UTC, from the browser's zone"


async def test_a_service_shows_its_workers_and_partitions_live(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = await open_flow(worker, open_page, "/service/fraud")
    await expect(page.locator("#flow-partitions tr")).to_have_count(12)
    await expect(page.locator("#flow-facts")).to_contain_text("Grouporderapp")
    partitions = [
        {"topic": "orders", "partition": 0, "committed": None, "lag": 77, "member": None}
    ]
    worker.flow.services["fraud"] |= {"lag": 77, "partitions": partitions}
    row = page.locator("#flow-partitions tr")
    await expect(row).to_have_count(1)
    await expect(row).to_have_text(re.compile("^orders0.77nobody$"))
    await page.goto(f"{worker.url}#/flow/service/producer")
    await expect(page.locator("#flow-detail-text")).to_contain_text("It reads no topic")
    await page.goto(f"{worker.url}#/flow/service/none")
    await expect(page.locator("#flow-detail-text")).to_have_text("There is no such service.")


async def test_what_the_last_check_came_to_is_shown_with_its_age_whatever_becomes_of_the_worker(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = await open_flow(worker, open_page)
    result, age = page.locator("#proof-result"), page.locator("#proof-age")
    await expect(result).to_have_text("Not checked yet")
    worker.flow.reconcile["last"] = make_check(age_seconds=100.0)
    await page.reload()
    await expect(result).to_have_text("All agree")
    await expect(result).to_have_attribute("data-tone", "good")
    await expect(age).to_contain_text("1,200 orders, checked 10")
    await worker.stop()
    before = await age.inner_text()
    await expect(age).not_to_have_text(before)

    await worker.start()
    worker.flow.reconcile |= {
        "last": make_check(is_old=True, age_seconds=100_000.0),
        "failed": {"at": worker.flow.hour["since"], "why": "too_large"},
        "every_seconds": 3600.0, "waiting": True,
    }  # fmt: skip
    await page.reload()
    await expect(result).to_have_text("All agree, but that is old")
    await expect(result).to_have_attribute("data-tone", "wait")
    await expect(age).to_contain_text("checked 27 h ago")
    await expect(page.locator("#proof-turns")).to_contain_text("waits until the services are")
    await expect(page.locator("#proof-lines")).to_contain_text("run the command reconcile")

    differs = {"name": "order_without_payment", "count": 12, "examples": [7, MARKUP]}
    worker.flow.reconcile["last"] = make_check(
        result="disagree", disagreements=[differs], lost=3
    )
    await page.reload()
    await expect(result).to_have_attribute("data-tone", "bad")
    await expect(page.locator("#proof-lines")).to_contain_text(
        f"order without payment: 12 (7, {MARKUP}, …)"
    )
    assert await page.locator("#flow img").count() == 0


async def test_a_check_is_begun_with_the_token_and_followed_until_it_is_done(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.token = worker.flow.token = "let-me-in"
    page = await open_flow(worker, open_page)
    await expect(page.locator("#proof-result")).to_have_text("Not checked yet")
    await expect(page.locator("#environment")).to_be_visible()
    button = page.get_by_role("button", name="Check all orders now")
    await button.click()
    token = page.locator("#proof-token input")
    await expect(token).to_be_focused()
    await token.fill("wrong")
    await token.press("Enter")
    await expect(page.locator("#proof-says")).to_have_text("this needs the right token")
    await token.fill("let-me-in")
    await token.press("Enter")
    await expect(page.locator("#proof-turns")).to_contain_text("A check is running.")
    await expect(button).to_be_disabled()
    worker.flow.reconcile |= {"running": False, "last": make_check(age_seconds=1.0)}
    await expect(page.locator("#proof-result")).to_have_text("All agree")
    await expect(button).to_be_enabled()
    assert worker.flow.checks == 1


async def test_the_last_hour_says_whose_figures_it_has(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = await open_flow(worker, open_page)
    latency = page.get_by_role("region", name="Table of latency")
    await expect(latency.get_by_role("row", name="stored 22 ms 54 ms 1,200")).to_be_visible()
    await expect(latency).to_contain_text("not in this worker")
    charts = page.locator("#flow-hour figure")
    await expect(charts).to_have_count(3)
    await expect(charts.nth(0)).to_contain_text("Lag of all services: 59 last, 59 at most")
    await expect(charts.nth(0).locator("rect")).to_have_count(59)
    await expect(charts.nth(2)).to_contain_text("p99 until paid: not known yet")
    await expect(page.locator("#flow-hour-note")).to_contain_text("of all workers")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_is_for_everybody_at_every_width(
    worker: FakeWorker, open_page: OpenPage, scheme: str
) -> None:
    worker.flow.services["payment"] = make_service(
        "payment", health="stuck", lag=1500, oldest_seconds=120.0
    )
    long = "w" * 249
    worker.flow.topics[long] = make_topic("orders", text=long) | {"name": long}
    worker.flow.messages[0] = make_message(20, value=shown("W" * 4000))
    page = await open_flow(worker, open_page, "/topic/orders", color_scheme=scheme)
    await page.locator("#flow-messages summary").first.click()
    for width in (320, 390, 768, 1280, 2560):
        await page.set_viewport_size({"width": width, "height": 900})
        assert width == await page.evaluate("document.scrollingElement.scrollWidth")
    await page.set_viewport_size({"width": 1280, "height": 900})
    for path in ("/topic/orders", "/service/payment"):
        await page.goto(f"{worker.url}#/flow{path}")
        shown_part = page.locator("#flow-messages > li, #flow-partitions tr")
        await expect(shown_part.locator("visible=true").first).to_be_visible()
        if scheme == "light":
            found = (await Axe().run(page)).response["violations"]
            assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in found] == []
        contrasts = await page.evaluate(CONTRASTS)
        assert [(text, ratio) for text, ratio in contrasts if ratio < 4.5] == []


async def test_the_picture_is_seen_in_forced_colours_and_reached_by_keyboard(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = await open_flow(worker, open_page)
    await page.emulate_media(forced_colors="active")
    box = page.locator('#flow-picture a[href="#/flow/topic/orders"] rect')
    stroke = "e => getComputedStyle(e).stroke"
    before = await box.evaluate(stroke)
    assert before != await box.evaluate("e => getComputedStyle(e).fill")
    await page.emulate_media(forced_colors="none")
    await page.locator("#flow-picture").focus()
    await page.keyboard.press("Tab")
    await expect(page.locator("#flow-picture a").first).to_be_focused()
    await expect(page.locator("#flow-picture a rect").first).to_have_css("stroke-width", "4px")


async def test_the_fake_answers_are_the_apis(worker: FakeWorker, open_page: OpenPage) -> None:
    visit = await open_page("about:blank")
    differs = {"name": "order_without_payment", "count": 2, "examples": [7, "orders[0]@1"]}
    worker.flow.reconcile["last"] = make_check(disagreements=[differs])
    worker.flow.reconcile["failed"] = {"at": worker.flow.hour["since"], "why": "failed"}
    for path, model in (
        ("topology", Topology), ("topics/orders/messages?limit=20", MessagePage),
        ("history", History), ("reconcile", Reconcile),
    ):  # fmt: skip
        answer = await (await visit.page.request.get(f"{worker.url}api/{path}")).json()
        assert msgspec.to_builtins(msgspec.convert(answer, model)) == answer
