"""The timeline of a story, to scale."""

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser import OpenPage
from tests.web_page.fake import FakeWorker
from tests.web_page.fake_orders import FIRST_ID, alert_of, make_order, moment
from tests.web_page.page import story, words

ID = FIRST_ID + 1
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


async def open_order(worker: FakeWorker, open_page: OpenPage, **options: Any) -> Page:
    page = (await open_page(f"{worker.url}#/orders/{ID}", **options)).page
    await expect(story(page).locator(".lane").first).to_be_visible()
    return page


async def bars(page: Page) -> dict[str, tuple[float, float]]:
    """Where the bar of each step begins and ends, as parts of the axis."""
    found = await page.evaluate(
        """() => [...document.querySelectorAll("#story-steps li:has(.lane)")].map((item) => {
          const lane = item.querySelector(".lane").getBoundingClientRect();
          const parts = [...item.querySelectorAll(".lane span:not(.cut)")]
            .map((part) => part.getBoundingClientRect());
          const place = (x) => (x - lane.left) / lane.width;
          return [item.querySelector("b").textContent, place(parts[0].left),
            place(parts.at(-1).right), lane.width];
        })"""
    )
    assert len({width for *_, width in found}) == 1, "one axis for all"
    return {name: (begin, end) for name, begin, end, _ in found}


@pytest.mark.parametrize("width", [390, 1280])
async def test_each_step_is_drawn_to_scale_from_when_kafka_had_the_order(
    worker: FakeWorker, open_page: OpenPage, width: int
) -> None:
    order = make_order(1)
    found = {**alert_of(order, "CUSTOMER_VELOCITY"), "detected_at": moment(1, 52)}
    worker.put(order | {"shadow": [found]})
    worker.alert(ID)
    order["alerts"][0]["detected_at"] = moment(1, 26)
    worker.pay(ID)
    page = await open_order(worker, open_page, width=width)

    least = 3 / 250  # of a bar, however short the step was
    expected = {
        "Created": (0, 0), "Accepted": (0, 0), "Waited in Kafka": (0, 12), "Judged": (0, 26),
        "Judged in the shadow": (0, 52), "Stored": (0, 12), "Paid": (0, 104),
    }  # fmt: skip
    drawn = await bars(page)
    assert drawn.keys() == expected.keys()
    for name, (begin, end) in expected.items():
        assert drawn[name] == pytest.approx((begin / 104, end / 104), abs=least), name
    assert await words(page.locator("#story-axis")) == "0 +104 ms"
    await expect(page.locator("#story-cuts")).to_be_hidden()
    await expect(story(page)).to_contain_text("Waited in Kafka at most 12 ms")


async def test_a_wait_that_dwarfs_all_else_is_cut_and_said_to_be(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1))
    worker.bury(ID)
    letter = worker.orders[ID]["dead_letter"]
    letter |= {"first_failure": moment(1, 110), "last_failure": moment(61)}
    worker.pay(ID)
    worker.orders[ID]["payment"]["paid_at"] = "2026-11-25T06:00:00.000000Z"
    page = await open_order(worker, open_page)

    drawn = await bars(page)
    assert drawn["Stored"][1] > 0.05
    assert drawn["Stored"][1] < drawn["Dead letter"][1] < drawn["Paid"][1]
    assert drawn["Paid"][1] == pytest.approx(1, abs=0.01)
    await expect(page.locator("#story-cuts")).to_have_text(
        "Where the bars are broken, 60 s and 35 h without another step are left out."
    )
    given_up = story(page).locator("li", has_text="Dead letter")
    await expect(given_up).to_contain_text("failed first after 110 ms, 5 attempts in 60 s")
    await expect(given_up.locator(".tries")).to_have_count(1)
    for lane in await story(page).locator(".lane").all():
        await expect(lane.locator(".cut")).to_have_count(2)
        assert await lane.get_attribute("aria-hidden") == "true"


async def test_attempts_that_led_to_a_payment_are_told_with_their_time(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1))
    worker.pay(ID, attempts=3)
    page = await open_order(worker, open_page)

    paid = story(page).locator("li", has_text="Paid")
    await expect(paid).to_contain_text("3 attempts and the waits between them: 104 ms")
    await expect(paid.locator(".tries")).to_have_count(1)


async def test_times_of_clocks_that_differ_or_that_are_not_known_are_drawn_as_they_are(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    worker.put(make_order(1), make_order(2, stored_at=moment(2)))
    worker.pay(ID)
    worker.orders[ID]["payment"]["paid_at"] = "2026-11-23T17:59:00.000000Z"
    page = await open_order(worker, open_page)
    for begin, end in (await bars(page)).values():
        assert -0.001 <= begin < end <= 1.001

    await page.goto(f"{worker.url}#/orders/{FIRST_ID + 2}")  # all at one moment
    await expect(story(page)).to_contain_text("Stored")
    await expect(story(page).locator(".lane")).to_have_count(0)
    await expect(page.locator("#story-axis")).to_be_hidden()


@pytest.mark.parametrize(
    ("url", "is_link"),
    [
        (None, False),
        (f"https://traces.example/trace/{TRACE}?a=<b>", True),
        (f"javascript:alert('{TRACE}')", False),
        (f"//traces.example/{TRACE}", False),
        ("data:text/html,x", False),
    ],
)
async def test_a_trace_is_linked_to_where_it_is_shown_and_to_nothing_else(
    worker: FakeWorker, open_page: OpenPage, url: str | None, is_link: bool
) -> None:
    worker.put(make_order(1, trace_id=TRACE, trace_url=url, stored_at=moment(1, 9)))
    page = await open_order(worker, open_page)

    await expect(story(page).locator("#story-facts")).to_contain_text(TRACE)
    links = await story(page).locator("#story-facts .code a").all()
    assert [await link.get_attribute("href") for link in links] == ([url] if is_link else [])


PLACES = """async (times) => {
  const { Scale } = await import("./static/scale.js");
  const scale = new Scale(times);
  return [times.map((time) => scale.place(time)), scale.cuts.map(({ ms }) => ms)];
}"""


@pytest.mark.parametrize(
    ("times", "places", "cuts"),
    [
        ([5], [0], []),
        ([0, 10, 40], [0, 0.25, 1], []),
        ([40, 0, 10, 10], [1, 0, 0.25, 0.25], []),
        ([0, 1, 31], [0, 1 / 31, 1], []),
        ([0, 1, 101], [0, 0.9, 1], [100]),
        ([0, 100, 101], [0, 0.1, 1], [100]),
        ([0, 1, 101, 10**6], [0, 0.8, 0.9, 1], [100, 10**6 - 101]),
    ],
)
async def test_only_what_would_hide_all_else_is_cut(
    worker: FakeWorker, open_page: OpenPage, times: list[int], places: Any, cuts: Any
) -> None:
    page = (await open_page(worker.url)).page
    found, cut = await page.evaluate(PLACES, times)

    assert found == pytest.approx(places)
    assert cut == cuts
