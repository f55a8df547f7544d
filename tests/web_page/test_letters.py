"""The view of dead letters: what is there, one of them, and what is done with them."""

import re

import msgspec
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from orderapp.web.api.dead_letter_changes import ResolvedLetters
from orderapp.web.api.letter_answers import LetterPage, OneLetter
from tests.browser import OpenPage
from tests.web_page.fake import FakeWorker, problem
from tests.web_page.fake_letters import make_letter, shown
from tests.web_page.fake_orders import FIRST_ID, make_order, moment
from tests.web_page.page import words
from tests.web_page.test_accessibility import CONTRASTS, tab_until

MARKUP = '<img src=x onerror="alert(1)">'


def fill(worker: FakeWorker) -> None:
    """60 that are alike, and one of each other kind."""
    worker.letters.put(
        *(make_letter(n) for n in range(1, 61)),
        make_letter(61, error_class="DecodeError", error_text=MARKUP, order_id=None,
                    services=["fraud", "payment"], open_for=["fraud"], attempts=1),
        make_letter(62, error_class=None, error_text="no attempts", order_id=None),
        make_letter(63, state="replayed", open_for=[], resolved_at=moment(3400)),
        make_letter(64, state="dropped", open_for=[], resolved_at=moment(3400)),
    )  # fmt: skip
    worker.letters.details["1:61"] = {
        "value": shown("00ff" * 2048, "hex", length=1_048_576, shown=4096, schema_id=42),
        "key": None,
        "headers": [
            {"name": MARKUP, "value": shown(MARKUP)},
            {"name": "none", "value": None},
            {"name": "bin", "value": shown("ff00", "hex", length=2, shown=2)},
        ],
        "header_count": 106,
    }


async def open_letters(worker: FakeWorker, open_page: OpenPage, path: str = "") -> Page:
    fill(worker)
    page = (await open_page(f"{worker.url}#/dead-letters{path}")).page
    await expect(page.locator("#letters-total")).to_contain_text("dead letter")
    return page


async def rows(page: Page) -> list[str]:
    """Rows that are shown, in words."""
    return [await words(row) for row in await page.locator("#letters-rows tr").all()]


async def test_the_list_is_by_error_and_all_of_it_in_the_address(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    fill(worker)
    visit = await open_page(worker.url)
    page = visit.page
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    assert (
        await page.evaluate("performance.getEntriesByName(location + 'static/letters.js')")
        == []
    )
    await page.get_by_role("link", name=re.compile("^Dead letters")).click()
    await expect(page.get_by_role("heading", name="Dead letters: open")).to_be_visible()
    await expect(page.locator("#letters-rows tr")).to_have_count(50)
    assert any(url.endswith("static/letters.js") for url in loaded)
    await expect(page.locator("#list")).to_be_hidden()
    await expect(page.locator("#letters-counts")).to_contain_text(
        "62 are open, 1 replayed, 1 dropped"
    )
    assert (await rows(page))[:2] == [
        "2:62 23 Nov, 19:01:02 payment damaged no attempts 8 none open",
        f"1:61 23 Nov, 19:01:01 fraud, payment DecodeError {MARKUP} 1 none open for fraud",
    ]  # fmt: skip

    await page.get_by_role("button", name="DecodeError 1 open").click()
    await expect(page.locator("#letters-rows tr")).to_have_count(1)
    await expect(page).to_have_title("Dead letters: DecodeError: orderapp")
    assert page.url.endswith("#/dead-letters?error=DecodeError")
    await page.go_back()
    await page.get_by_role("button", name="Older dead letters").click()
    await expect(page.locator("#letters-rows tr")).to_have_count(12)
    await expect(page.get_by_role("heading", name="Older dead letters")).to_be_focused()
    await page.reload()
    await expect(page.locator("#letters-rows tr")).to_have_count(12)
    await page.get_by_label("State").select_option("replayed")
    await expect(page.locator("#letters-rows tr")).to_have_count(1)
    assert "3:63" in (await rows(page))[0]
    assert await page.locator("#letters-rows input").count() == 0
    await page.get_by_role("searchbox", name="Order", exact=True).fill("pay-764")
    await page.get_by_role("searchbox", name="Order", exact=True).press("Enter")
    await expect(page.locator("#letters-empty")).to_have_text("No dead letter matches.")
    await page.get_by_label("State").select_option("all")
    await expect(page.locator("#letters-rows tr")).to_have_count(1)

    await page.get_by_role("link", name="Orders", exact=True).click()
    await expect(page.locator("#list")).to_be_visible()
    await page.go_back()
    await expect(page.locator("#letters-rows tr")).to_have_count(1)
    assert visit.errors == []


async def test_one_letter_is_shown_as_it_lies_in_kafka_and_reached_by_keyboard_alone(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = await open_letters(worker, open_page, "?status=all")
    passed = await tab_until(page, "1:61")
    for name in ("status", "service", "error", "order_id", "letters-all", "letters-drop"):
        assert name in passed
    await page.keyboard.press("Enter")
    title = page.get_by_role("heading", name="Dead letter 1:61")
    await expect(title).to_be_focused()
    assert page.url.endswith("#/dead-letters/1:61?status=all")
    letter = page.locator("#letter")
    for text in (
        "hex, 1,048,576 bytes, Schema Registry's schema 42, the first 4,096 are shown",
        "00 ff 00 ff", "null", "and 103 more", "ff 00 (hex)",
        f"DecodeError: {MARKUP}", "orders, partition 3, offset 17", "23 Nov 2026, 19:00:01 CET",
    ):  # fmt: skip
        await expect(letter).to_contain_text(text)
    assert await page.locator("#letters img").count() == 0
    assert len(await page.locator("#letter-value").inner_text()) < 16_000

    await page.keyboard.press("Escape")
    await expect(letter).to_be_hidden()
    await expect(page.get_by_role("link", name="1:61")).to_be_focused()
    worker.letters.details["2:62"] = {"damage": "no attempts", "objection": "it is damaged"}
    await page.get_by_role("link", name="2:62").click()
    await expect(letter).to_contain_text("It can't be replayed: it is damaged")
    await expect(letter.get_by_role("button", name="Replay")).to_have_count(0)
    await page.goto(f"{worker.url}#/dead-letters/9:9")
    await expect(letter).to_contain_text("9:9: there is no dead letter at this place")
    worker.put(make_order(1))
    worker.bury(FIRST_ID + 1)
    await page.goto(f"{worker.url}#/orders/{FIRST_ID + 1}")
    await page.locator('#story-facts a[href*="dead-letters"]').click()
    await expect(page).to_have_url(re.compile("#/dead-letters/0:1$"))


async def test_chosen_ones_are_replayed_with_the_token_after_a_dry_run_and_their_number(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.token = worker.letters.token = "let-me-in"
    page = await open_letters(worker, open_page)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.get_by_label("choose 0:60").check()
    await page.get_by_label("choose 5:59").check()
    await page.get_by_role("button", name="Replay 2 …").click()

    dialog = page.get_by_role("dialog")
    token = dialog.get_by_label("API token")
    await expect(token).to_be_focused()
    await token.fill("wrong")
    await dialog.get_by_role("button", name="Count them").click()
    await expect(dialog).to_contain_text("this needs the right token")
    await expect(token).to_be_focused()
    await token.fill("let-me-in")
    await token.press("Enter")
    await expect(dialog).to_contain_text("Replay 2 dead letters?")
    await expect(token).to_be_hidden()
    assert [body["dry_run"] for _, body in worker.letters.asked] == [True]
    command = "faust -A orderapp dlq replay 0:60 5:59"
    await expect(dialog.locator("code")).to_have_text(command)
    await dialog.get_by_role("button", name="Copy").click()
    await expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == command

    await dialog.get_by_role("button", name="Replay 2").click()
    await expect(dialog).to_contain_text("Replayed: 2.")
    await expect(dialog.get_by_role("button", name="Close")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator("#letters-counts")).to_contain_text("60 are open, 3 replayed")
    assert worker.letters.asked[-1] == (
        "replay",
        {"places": ["0:60", "5:59"], "dry_run": False},
    )
    assert "let-me-in" not in page.url
    assert await page.evaluate("localStorage.length + sessionStorage.length") == 0


async def test_with_a_service_chosen_nothing_is_done_for_another_one(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = await open_letters(worker, open_page, "?status=all&service=payment")
    await expect(page.get_by_label("choose 0:60")).to_be_visible()
    # It is open for fraud alone.
    await expect(page.get_by_label("choose 1:61")).to_have_count(0)
    await page.locator("#letters-filters [name=service]").select_option("fraud")
    await page.get_by_label("choose 1:61").check()
    await page.get_by_role("button", name="Drop 1 …").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.locator("code")).to_have_text(
        "faust -A orderapp dlq drop 1:61 --service fraud"
    )
    await dialog.get_by_role("button", name="Drop 1").click()
    await expect(dialog).to_contain_text("Dropped: 1.")
    assert worker.letters.asked[-1] == (
        "drop",
        {"service": "fraud", "places": ["1:61"], "dry_run": False},
    )


async def test_all_that_match_are_dropped_request_by_request_and_what_fails_can_be_tried_again(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = await open_letters(worker, open_page, "?error=gateway%20did&service=payment")
    worker.letters.most = 25
    await page.get_by_role("button", name="Drop all 60 open …").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Drop 60 dead letters?")
    await expect(dialog.locator("code")).to_have_text(
        "faust -A orderapp dlq drop --service payment '--error=gateway did'"
    )
    worker.letters.problem = lambda: problem(503, "Kafka did not do all of it")
    await dialog.get_by_role("button", name="Drop 60").click()
    await expect(dialog).to_contain_text("Kafka did not do all of it")
    worker.letters.problem = None
    await dialog.get_by_role("button", name="Try again").click()
    await expect(dialog).to_contain_text("Dropped: 60.")
    assert len(worker.letters.asked) == 1 + 1 + 3
    await dialog.get_by_role("button", name="Close").click()
    await expect(page.locator("#letters-empty")).to_have_text("No dead letter matches.")
    await expect(page.get_by_role("button", name="Drop", exact=True)).to_be_disabled()


async def test_the_list_holds_still_and_says_what_keeps_it_from_being_there(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.forbidden = "only on this machine"
    fill(worker)
    worker.letters.problem = lambda: problem(503, "Kafka has not said so yet")
    page = (await open_page(f"{worker.url}#/dead-letters")).page
    trouble = page.locator("#letters-problem")
    await expect(trouble).to_have_text("Kafka has not said so yet The page goes on trying.")
    worker.letters.problem = None
    await expect(page.locator("#letters-rows tr")).to_have_count(50)
    await expect(trouble).to_be_hidden()

    worker.letters.put(make_letter(70))
    news = page.get_by_role("button", name="The list has changed")
    await expect(news).to_be_visible()
    assert "4:70" not in (await rows(page))[0]
    await news.click()
    await expect(page.locator("#letters-rows tr").first).to_contain_text("4:70")
    await expect(news).to_be_hidden()

    await page.get_by_role("button", name="Replay all 63 open …").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("takes changes on its own machine only")
    await expect(dialog.locator("code")).to_have_text(
        "faust -A orderapp dlq replay --everything"
    )
    await expect(dialog.locator("#resolve-do")).to_be_hidden()
    assert worker.letters.asked == []
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    worker.letters.problem = lambda: problem(400, "status=x is not allowed")
    await page.goto(f"{worker.url}#/dead-letters?status=x")
    await expect(trouble).to_have_text("status=x is not allowed Choose another filter.")


async def test_a_dialog_that_is_left_by_the_way_back_blocks_nothing(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    fill(worker)
    worker.put(make_order(1))
    visit = await open_page(worker.url)
    page = visit.page
    letters = page.get_by_role("link", name=re.compile("^Dead letters"))
    await letters.click()
    await page.get_by_role("button", name="Drop all 62 open …").click()
    dialog = page.locator("#resolve")
    await dialog.get_by_role("button", name="Drop 62").click()
    await expect(dialog).to_contain_text("Dropped: 62.")
    await page.go_back()

    await page.get_by_role("link", name=str(FIRST_ID + 1)).click()
    await expect(page.locator("#story-title")).to_be_focused()
    await letters.click()
    await expect(page.locator("#letters-empty")).to_have_text("None is open.")
    await expect(dialog).to_be_hidden()
    await expect(page.locator("#letters-problem")).to_be_hidden()
    assert visit.errors == []


async def test_a_list_that_came_late_takes_the_place_of_the_one_before(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = await open_letters(worker, open_page)
    worker.letters.problem = lambda: problem(503, "Kafka has not said so yet")
    await page.get_by_label("State").select_option("dropped")
    await expect(page.locator("#letters-problem")).to_be_visible()
    worker.letters.problem = None
    await expect(page.locator("#letters-rows tr")).to_have_count(1)
    await expect(page.get_by_role("button", name="The list has changed")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_is_for_everybody_at_every_width(
    worker: FakeWorker, open_page: OpenPage, scheme: str
) -> None:
    fill(worker)
    url = f"{worker.url}#/dead-letters/1:61?status=all"
    page = (await open_page(url, color_scheme=scheme)).page
    await expect(page.locator("#letter-value")).to_contain_text("00 ff")
    await expect(page.locator("#letters-rows tr")).to_have_count(50)
    for width in (320, 390, 768, 1280, 2560):
        await page.set_viewport_size({"width": width, "height": 900})
        assert width == await page.evaluate("document.scrollingElement.scrollWidth")
        if width in {390, 1280}:
            await no_findings(page, scheme)
    await expect(page.get_by_role("table", name="Dead letters")).to_be_visible()
    await page.locator("#letter").get_by_role("button", name="Drop …").click()
    await expect(page.get_by_role("dialog")).to_contain_text("Drop 1 dead letter?")
    await no_findings(page, scheme)


async def test_without_colours_the_open_letter_is_marked_and_paper_has_no_buttons(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = await open_letters(worker, open_page, "/1:61?error=DecodeError")
    await expect(page.locator("#letter-value")).to_contain_text("00 ff")
    row, group = page.locator("#letters-rows tr"), page.locator(".group")
    await page.emulate_media(forced_colors="active")
    await expect(row).to_have_css("outline-style", "solid")
    await expect(group).to_have_css("border-top-width", "2px")

    await page.emulate_media(media="print", forced_colors="none", color_scheme="dark")
    await expect(page.locator("body")).to_have_css("color", "rgb(23, 30, 42)")
    await expect(page.locator(":is(button, input, select):visible")).to_have_count(0)
    await expect(group).to_be_hidden()
    await expect(row).to_contain_text(MARKUP)
    await expect(page.locator("#letter")).to_have_css("position", "static")
    await expect(page.locator("#letter-value")).to_be_visible()


async def no_findings(page: Page, scheme: str) -> None:
    """Neither axe nor the contrast of any text has one."""
    if scheme == "light":  # axe takes its time, and of colours only the contrasts differ
        found = (await Axe().run(page)).response["violations"]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    contrasts = await page.evaluate(CONTRASTS)
    assert [(text, ratio) for text, ratio in contrasts if ratio < 4.5] == []


async def test_the_fake_answers_are_the_apis(worker: FakeWorker, open_page: OpenPage) -> None:
    visit = await open_page("about:blank")
    fill(worker)
    request = visit.page.request
    for path, model in (
        ("?limit=50", LetterPage), ("/1:61", OneLetter), ("/3:63", OneLetter)
    ):  # fmt: skip
        answer = await (await request.get(f"{worker.url}api/dead-letters{path}")).json()
        assert msgspec.to_builtins(msgspec.convert(answer, model)) == answer
    body = {"everything": True, "dry_run": False}
    answer = await request.post(f"{worker.url}api/dead-letters/drop", data=body)
    assert msgspec.to_builtins(msgspec.convert(await answer.json(), ResolvedLetters))
