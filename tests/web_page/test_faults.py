"""The view of what is broken on purpose: what is, and what switches it."""

import re

import msgspec
import pytest
from playwright.async_api import Locator, Page, expect

from orderapp.web.api.faults import FaultList, OneFault
from tests.browser import OpenPage
from tests.web_page.fake import FakeWorker, problem
from tests.web_page.test_accessibility import tab_until
from tests.web_page.test_letters import MARKUP, no_findings


async def open_faults(worker: FakeWorker, open_page: OpenPage, **options) -> Page:
    page = (await open_page(f"{worker.url}#/faults", **options)).page
    await expect(page.locator("#faults .live-one")).to_have_count(3)
    return page


def fault(page: Page, name: str) -> Locator:
    return page.get_by_role("listitem", name=re.compile(f"^{name}"))


async def test_each_fault_is_switched_on_changed_and_off_at_its_own_control(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.switches.faults["poison"]["value"] = 0.2
    visit = await open_page(worker.url)
    page = visit.page
    await page.get_by_role("link", name="Break it").click()
    gateway = fault(page, "gateway timeout")
    await expect(fault(page, "poison")).to_contain_text("Set by ORDERAPP_FAULT_POISON.")
    await expect(fault(page, "poison")).to_contain_text("20% of the generated orders")
    await expect(gateway).to_contain_text("As the settings have it.")
    await expect(page.locator("#faults-unchanged")).to_be_visible()

    await page.get_by_label("Your name").fill(MARKUP)
    await gateway.get_by_role("button", name="Switch on").click()
    await expect(gateway).to_contain_text("on: 100%")
    await expect(gateway).to_contain_text("Done: it holds in this worker")
    await expect(gateway).to_contain_text(f"Switched by {MARKUP}, 23 Nov")
    await gateway.get_by_label("Rate, 0 to 1").fill("0,3")
    await gateway.get_by_role("button", name="Change").click()
    await expect(gateway).to_contain_text("30% of the requests")
    await fault(page, "store slow").get_by_role("button", name="Switch on").click()
    await expect(fault(page, "store slow")).to_contain_text("2 seconds that each call")
    await gateway.get_by_role("button", name="Off").click()
    await expect(gateway.locator(".chip")).to_have_text("off")
    assert worker.switches.matched == ['"1"', '"2"', '"1"', '"3"']

    await page.get_by_role("button", name="All off").click()
    await expect(page.locator("#faults-says")).to_contain_text("Done")
    await expect(page.locator("#faults .live-one .chip")).to_have_text(["off"] * 3)
    changes = page.locator("#faults-changes li")
    await expect(changes).to_have_count(6)
    await expect(changes.last).to_contain_text(f"gateway timeout to 100%, by {MARKUP}")
    assert await page.locator("#faults img").count() == 0
    assert visit.errors == []


async def test_of_two_people_the_second_one_hears_what_the_first_has_set(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = await open_faults(worker, open_page)
    gateway = fault(page, "gateway timeout")
    await gateway.get_by_label("Rate").fill("0.5")
    worker.switches.put("gateway_timeout", 0.3, "ann")
    await expect(gateway).to_contain_text("on: 30%")
    await expect(gateway.get_by_label("Rate")).to_have_value("0.5")
    await gateway.get_by_role("button", name="Change").click()
    await expect(gateway).to_contain_text(
        "Not switched: ann has switched it to 30% meanwhile. Press again to change that."
    )
    await gateway.get_by_role("button", name="Change").click()
    await expect(gateway).to_contain_text("on: 50%")


async def test_what_is_refused_is_said_at_its_control(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.token = worker.switches.token = "let-me-in"
    page = await open_faults(worker, open_page)
    gateway = fault(page, "gateway timeout")
    value, token = gateway.get_by_label("Rate"), page.locator("#faults-token input")
    for wrong in ("1.5", "x", "-1", ""):
        await value.fill(wrong)
        await value.press("Enter")
        await expect(gateway).to_contain_text("Not switched: a rate from 0, never, to 1")
        await expect(value).to_be_focused()
    await expect(value).to_have_attribute("aria-invalid", "true")
    assert worker.switches.matched == []
    await value.fill("1")
    await value.press("Enter")
    await expect(gateway).to_contain_text("this needs the right token")
    await expect(token).to_be_focused()
    await token.fill("let-me-in")
    worker.switches.problem = lambda: problem(422, "value=1 is not allowed")
    await value.press("Enter")
    await expect(gateway).to_contain_text("value=1 is not allowed")
    worker.switches.problem = lambda: problem(403, "not from here")
    await value.press("Enter")
    await expect(gateway).to_contain_text("not from here")
    worker.switches.problem = None
    await value.press("Enter")
    await expect(gateway).to_contain_text("on: 100%")
    await expect(token).to_be_hidden()
    worker.switches.away = lambda: problem(503, "no answer")
    trouble = page.locator("#faults-problem")
    await expect(trouble).to_have_text("no answer The page goes on trying.")
    worker.switches.away = None
    await expect(trouble).to_be_hidden()


@pytest.mark.parametrize("by", ["worker", "settings"])
async def test_where_nothing_may_be_switched_the_way_out_is_said(
    worker: FakeWorker, open_page: OpenPage, by: str
) -> None:
    why = "set ORDERAPP_LIVE_FAULTS=yes for all workers"
    if by == "worker":
        worker.forbidden = "only on this machine"
        why = "start the worker with ORDERAPP_API_TOKEN"
    else:
        for one in worker.switches.faults.values():
            one["refused"] = why
    page = await open_faults(worker, open_page)
    refused = page.locator("#faults-refused")
    await expect(refused).to_contain_text(why)
    await expect(refused).to_contain_text("faults set gateway_timeout 1")
    await expect(page.locator("#faults :is(button:not(.copy), input):visible")).to_have_count(0)


async def test_a_fault_of_another_gateway_says_so_at_its_place(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.switches.faults["gateway_timeout"]["refused"] = "it is of the simulated gateway"
    page = await open_faults(worker, open_page)
    gateway = fault(page, "gateway timeout")
    await expect(gateway).to_contain_text("it is of the simulated gateway")
    await expect(gateway.get_by_role("button")).to_have_count(0)
    await expect(fault(page, "poison").get_by_role("button")).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_faults_are_for_everybody_at_every_width(
    worker: FakeWorker, open_page: OpenPage, scheme: str
) -> None:
    worker.token = "x"
    worker.switches.put("gateway_timeout", 0.3, "W" * 100)
    page = await open_faults(worker, open_page, color_scheme=scheme)
    await expect(page.locator("#faults-token input")).to_be_visible()
    assert "Break it" in await tab_until(page, "faults-off")
    assert "token" in await tab_until(page, "value")
    await fault(page, "poison").get_by_label("Rate").fill("x")
    await fault(page, "poison").get_by_label("Rate").press("Enter")
    for width in (320, 390, 768, 1280, 2560):
        await page.set_viewport_size({"width": width, "height": 900})
        assert width == await page.evaluate("document.scrollingElement.scrollWidth")
        if width in {390, 1280}:
            await no_findings(page, scheme)
    if scheme == "dark":
        return
    await page.emulate_media(forced_colors="active")
    await expect(fault(page, "gateway timeout")).to_have_css("outline-style", "solid")
    await page.emulate_media(media="print", forced_colors="none")
    await expect(page.locator(":is(button, input):visible")).to_have_count(0)
    await expect(fault(page, "gateway timeout")).to_contain_text("on: 30%")


async def test_the_fake_faults_are_those_of_the_api(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    visit = await open_page("about:blank")
    request, url = visit.page.request, f"{worker.url}api/faults"
    put = {"data": {"value": 1, "author": "ann"}, "headers": {"If-Match": '"1"'}}
    one = await request.put(f"{url}/poison", **put)
    msgspec.convert(await one.json(), OneFault)
    for answer in (await request.get(url), await request.post(f"{url}/off", data=put["data"])):
        found = await answer.json()
        assert msgspec.to_builtins(msgspec.convert(found, FaultList)) == found
