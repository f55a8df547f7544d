"""Lost connections, old data, a store that is away: the page says what is so."""

import re

from playwright.async_api import Page, expect

from tests.browser import OpenPage
from tests.web_page.fake import FakeWorker
from tests.web_page.fake_orders import FIRST_ID, make_order
from tests.web_page.page import cell, expect_state, hide, shown_ids, story, try_it, until


def problems(page: Page):
    """The notice at the top."""
    return page.locator("#notice")


async def test_a_restarted_worker_is_found_again_with_what_was_missed(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.accept(make_order(1))
    page = (await open_page(f"{worker.url}#/orders/{FIRST_ID + 1}")).page
    await expect_state(page, "Live")
    worker.accept(make_order(2))
    await expect(page.locator("#rows tr")).to_have_count(2)

    await worker.stop()
    await expect_state(page, "Connection lost")
    await expect(problems(page)).to_contain_text("may be out of date")
    await expect(page.locator("#age")).to_have_class("age stale")
    await expect(page.locator("#rows tr")).to_have_count(2)

    worker.put(make_order(3))
    worker.pay(FIRST_ID + 1)
    await worker.start()
    await expect_state(page, "Live")
    await expect(cell(page, "Order")).to_have_text(str(FIRST_ID + 3))
    await expect(cell(page, "Status", row=2)).to_contain_text("paid")
    await expect(story(page)).to_contain_text("Paid")
    await expect(problems(page)).to_be_hidden()
    assert worker.resumed[-1] == "1-1"


async def test_a_gap_makes_the_page_ask_again(worker: FakeWorker, open_page: OpenPage) -> None:
    page = (await open_page(worker.url)).page
    await expect_state(page, "Live")
    worker.put(make_order(1))  # without an event
    worker.gap()

    await expect(page.locator("#rows tr")).to_have_count(1)


async def test_events_that_were_left_out_make_the_page_ask_again(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = (await open_page(worker.url)).page
    await expect_state(page, "Live")
    worker.put(make_order(1))
    worker.hear(skipped=1)

    await expect(page.locator("#rows tr")).to_have_count(1)


async def quiet_page(worker: FakeWorker, open_page: OpenPage) -> Page:
    """A live page whose clock can be put forward: it has heard of one order, and nothing else
    is on its way."""
    worker.heartbeat = 3600
    page = (await open_page("about:blank")).page
    await page.clock.install()
    await page.goto(worker.url)
    await expect_state(page, "Live")
    worker.accept(make_order(1))
    await expect(page.locator("#rows tr")).to_have_count(1)
    return page


async def test_a_connection_that_died_without_a_word_is_noticed(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = await quiet_page(worker, open_page)
    worker.may_stream.clear()  # else the page may be back before anyone has read the notice

    await page.clock.fast_forward(12_000)
    await expect(page.locator("#age")).to_have_text(re.compile("^heard 1[2-9] s ago$"))
    await expect_state(page, "Live")

    await page.clock.fast_forward(9_000)
    await expect(problems(page)).to_contain_text("Nothing was heard for 20 s.")
    await expect_state(page, "Connection lost")
    worker.may_stream.set()
    await expect_state(page, "Live")
    assert worker.resumed == [None, "1-0"]


async def test_a_store_that_is_away_is_named_while_events_go_on(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1))
    page = (await open_page(worker.url)).page
    await expect_state(page, "Live")
    await expect(page.locator("#rows tr")).to_have_count(1)

    worker.store_error = "the store did not answer within 2 s"
    await expect_state(page, "Store away")
    await expect(problems(page)).to_contain_text(worker.store_error)
    await expect(page.locator("#announcer")).to_have_text(f"Store away. {worker.store_error}")
    worker.accept(make_order(2))
    worker.pay(FIRST_ID + 2)
    await expect(cell(page, "Status")).to_contain_text("paid")
    await expect(page.locator("#figures-stale")).to_contain_text(
        "All figures and charts are from"
    )

    worker.store_error = None
    await expect_state(page, "Live")
    await expect(problems(page)).to_be_hidden()
    await expect(page.locator("#figures-stale")).to_be_hidden()


async def test_a_worker_that_is_not_ready_names_what_is_missing(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.missing = ["no partitions are assigned"]
    page = (await open_page(worker.url)).page
    await expect_state(page, "Worker not ready")
    await expect(problems(page)).to_contain_text("Missing: no partitions are assigned.")

    worker.missing = []
    await expect_state(page, "Live")


async def test_a_start_is_no_failure(worker: FakeWorker, open_page: OpenPage) -> None:
    worker.starting, worker.missing = True, ["Kafka is not reachable yet"]
    worker.store_error = "the store does not answer; try again"
    page = (await open_page(worker.url)).page
    await expect_state(page, "Starting")
    await expect(problems(page)).to_contain_text("Missing: Kafka is not reachable yet.")
    await expect(problems(page).locator("li")).to_have_count(1)  # the store is not to blame
    await expect(problems(page)).to_have_css("background-color", "rgb(237, 240, 244)")
    await expect(page.locator("#page-note")).to_have_text("Newest first, not live now")
    worker.store_error, worker.missing = None, ["no partitions are assigned"]
    await expect(problems(page)).to_contain_text("Missing: no partitions are assigned.")

    worker.starting, worker.missing = False, []
    await expect_state(page, "Live")
    await expect(problems(page)).to_be_hidden()


async def test_all_texts_follow_from_one_state(worker: FakeWorker, open_page: OpenPage) -> None:
    page = (await open_page(worker.url)).page
    await expect_state(page, "Live")
    note = page.locator("#page-note")

    worker.missing = ["Kafka does not answer"]
    worker.store_error = "the store did not answer within 2 s"
    await expect_state(page, "Worker not ready")
    await expect(problems(page).locator("li")).to_have_count(2)
    await expect(note).to_have_text("Newest first, not live now")
    assert "still arrive" not in await problems(page).inner_text()

    await worker.stop()
    await expect_state(page, "Connection lost")
    await expect(problems(page).locator("li")).to_have_count(1)
    await expect(note).to_have_text("Newest first, not live now")

    worker.missing, worker.store_error = [], None
    await worker.start()
    await expect_state(page, "Live")
    await expect(problems(page)).to_be_hidden()
    await expect(note).to_have_text("Newest first, live")


async def test_the_store_that_readyz_misses_is_said_once(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.missing = ["store: does not answer"]
    worker.store_error = "the store did not answer within 2 s"
    page = (await open_page(worker.url)).page

    await expect_state(page, "Store away")
    await expect(problems(page).locator("li")).to_have_count(1)


async def test_a_page_is_not_live_before_the_worker_has_said_that_it_is_ready(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.missing = ["no partitions are assigned"]
    page = (await open_page("about:blank")).page
    await page.add_init_script(
        """addEventListener("DOMContentLoaded", () => {
          window.states = [];
          const state = document.getElementById("state");
          new MutationObserver(() => window.states.push(state.textContent))
            .observe(state, { childList: true });
        })"""
    )
    await page.goto(worker.url)
    await expect_state(page, "Worker not ready")
    worker.missing = []
    await expect_state(page, "Live")

    assert await page.evaluate("window.states") == ["Worker not ready", "Live"]


async def test_an_error_of_sending_goes_when_the_worker_is_back(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = (await open_page(worker.url)).page
    await expect_state(page, "Live")
    await worker.stop()
    await expect_state(page, "Connection lost")
    await try_it(page)
    await page.get_by_role("button", name="Send a risky order").click()
    await expect(page.locator("#sent")).to_have_text("There is no connection to the worker.")

    await worker.start()
    await expect_state(page, "Live")
    await expect(page.locator("#sent")).to_be_empty()


async def test_figures_that_failed_are_not_complained_of_during_a_pause(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.stats_error = "the totals are being counted"
    page = (await open_page(worker.url)).page
    await expect_state(page, "Store away")
    await page.get_by_role("button", name="Pause").click()

    await expect_state(page, "Paused")


async def test_figures_services_and_countries_are_shown(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(*(make_order(n, country="DE", amount=1000.5) for n in range(4)), make_order(5))
    worker.alert(FIRST_ID)
    worker.pay(FIRST_ID)
    worker.pay(FIRST_ID + 1, "DECLINED")
    worker.bury(FIRST_ID + 2)
    worker.services["payment"] = {"group": "orderapp", "lag": 1234, "oldest_seconds": 75.2}
    page = (await open_page(worker.url)).page

    figures = {
        "orders": "5",
        "rate": "0.5 orders/s",
        "rates": "orders/s: 0.5 over 1 min, 0.5 over 5, 0.25 over 15",
        "revenue": "1,000.50",
        "paid": "1",
        "paid-share": "20% of orders",
        "declined": "1",
        "alerts": "1",
        "dead-letters": "1",
        "dead-note": "open: show them",
    }
    for name, text in figures.items():
        await expect(page.locator(f"[data-figure={name}]")).to_have_text(text)
    payment = page.get_by_role("row", name="payment")
    await expect(payment).to_contain_text("1,234")
    await expect(payment.locator(".chip")).to_have_text("75 s")
    await expect(payment.locator(".chip")).to_have_attribute("data-tone", "bad")
    await expect(page.locator("#countries li")).to_have_count(1)
    await expect(page.locator("#countries li")).to_contain_text("4 orders, 1 alert")
    chart = page.get_by_role("slider", name="Orders and alerts over time")
    await expect(chart).to_have_attribute("aria-valuetext", "5 orders, 1 alert, in 5 minutes")
    assert await page.locator("#activity canvas").count() == 1

    worker.services = None
    await expect(page.locator("#services-note")).to_contain_text("Kafka does not answer")
    await expect(page.locator("[data-figure=dead-letters]")).to_have_text("\N{EN DASH}")


async def test_only_connection_changes_are_announced_while_no_order_is_followed(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = (await open_page(worker.url)).page
    await expect_state(page, "Live")
    await page.locator("#announcer").evaluate(
        """node => { window.spoken = []; new MutationObserver(() => window.spoken.push(
          node.textContent)).observe(node, { childList: true, subtree: true }) }"""
    )
    for number in (1, 2, 3):
        worker.accept(make_order(number))
        await expect(page.locator("#rows tr")).to_have_count(number)
    assert await page.evaluate("window.spoken") == []

    await worker.stop()
    await expect_state(page, "Connection lost")
    assert len(await page.evaluate("window.spoken")) == 1


async def test_the_page_is_clean_and_talks_to_its_own_server_only(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1))
    visit = await open_page(f"{worker.url}#/orders/{FIRST_ID + 1}")
    await expect_state(visit.page, "Live")
    worker.accept(make_order(2, amount=350.0, country="DE"))
    worker.alert(FIRST_ID + 2)
    await expect(cell(visit.page, "Status")).to_contain_text("alert")
    await expect(visit.page.locator("#activity canvas")).to_be_visible()

    assert await shown_ids(visit.page) == [FIRST_ID + 2, FIRST_ID + 1]
    assert visit.errors == []
    assert visit.foreign_requests == []


async def test_the_browser_reports_what_breaks_the_policy(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    visit = await open_page(worker.url)
    await visit.page.evaluate("document.body.setAttribute('style', 'color: red')")
    await visit.page.evaluate("fetch('http://127.0.0.1:9/').catch(() => {})")
    await expect_state(visit.page, "Live")

    assert [
        directive
        for directive in ("style-src", "connect-src")
        if any(directive in error for error in visit.errors)
    ] == ["style-src", "connect-src"]


async def test_a_tab_in_the_background_gives_its_connection_back_and_resumes(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1))
    page = (await open_page("about:blank")).page
    await page.clock.install()
    await page.goto(worker.url)
    await expect_state(page, "Live")
    worker.accept(make_order(2))
    await expect(page.locator("#rows tr")).to_have_count(2)

    await hide(page, True)
    await page.clock.fast_forward(5_000)
    await hide(page, False)  # a short look elsewhere changes nothing
    await page.clock.fast_forward(12_000)
    worker.hear()  # the clock went on: this is heard after it
    assert worker.resumed == [None]

    await hide(page, True)
    await page.clock.fast_forward(16_000)
    await until(lambda: worker.streams == 0)
    worker.accept(make_order(3))
    await expect(page.locator("#state")).to_have_text("Live")  # nothing was lost

    await hide(page, False)
    await expect(cell(page, "Order")).to_have_text(str(FIRST_ID + 3))
    await expect_state(page, "Live")
    assert len(worker.resumed) == 2
    assert worker.resumed[-1] in {"1-0", "1-1"}


async def test_services_and_countries_stay_as_they_are_while_nothing_changes(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1))
    worker.pay(FIRST_ID + 1)
    page = (await open_page(worker.url)).page
    await expect(page.locator("#countries li")).to_have_count(1)
    await page.evaluate(
        """() => {
          window.changed = 0;
          for (const id of ["services", "countries"]) {
            new MutationObserver(() => window.changed++)
              .observe(document.getElementById(id), { childList: true });
          }
        }"""
    )
    worker.put(make_order(2, country="DE"))  # not paid: it has no place among the countries
    await expect(page.locator("[data-figure=orders]")).to_have_text("2")
    assert await page.evaluate("window.changed") == 0

    worker.services["payment"]["lag"] = 1
    worker.pay(FIRST_ID + 2)
    await expect(page.locator("#countries li")).to_have_count(2)
    assert await page.evaluate("window.changed") == 2


async def test_an_age_that_is_not_known_is_not_shown_as_good(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.services["fraud"] = {"group": "orderapp", "lag": 3, "oldest_seconds": None}
    worker.services["analytics"] = {"group": None, "lag": None, "oldest_seconds": None}
    page = (await open_page(worker.url)).page

    for name, text, tone in (
        ("fraud", "unknown", "wait"),
        ("analytics", "unknown", "calm"),
        ("payment", "none", "good"),
    ):
        chip = page.get_by_role("row", name=name).locator(".chip")
        await expect(chip).to_have_text(text)
        await expect(chip).to_have_attribute("data-tone", tone)


async def test_the_list_is_called_live_only_while_orders_can_arrive(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = (await open_page(worker.url)).page
    note, age = page.locator("#page-note"), page.locator("#age")
    await expect(note).to_have_text("Newest first, live")

    await page.get_by_role("button", name="Pause").click()
    await expect(note).to_have_text("Newest first, not live now")
    await expect(age).to_have_text("0 orders since")
    await worker.stop()
    await expect_state(page, "Connection lost")
    await expect(age).to_have_text(re.compile(r"^heard \d+ s ago$"))
    await expect(age).to_have_class("age stale")
    await page.get_by_role("button", name="Continue").click()
    await expect(note).to_have_text("Newest first, not live now")

    await worker.start()
    await expect(note).to_have_text("Newest first, live")
    await expect(age).to_have_class("age")


async def test_a_heartbeat_is_a_sign_of_life(worker: FakeWorker, open_page: OpenPage) -> None:
    page = await quiet_page(worker, open_page)
    await page.clock.fast_forward(12_000)
    await expect(page.locator("#age")).to_have_text(re.compile("^heard 1[2-9] s ago$"))

    worker.beat()
    await expect(page.locator("#age")).to_have_text(
        re.compile("^heard (just now|[1-9] s ago)$")
    )
    # Nor is the connection given up 20 s after the order.
    await page.clock.fast_forward(10_000)
    await expect(page.locator("#age")).to_have_text(re.compile("^heard 1[0-9] s ago$"))
    assert worker.resumed == [None]
