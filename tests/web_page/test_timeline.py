"""The timeline of a story, to scale."""

from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser import OpenPage
from tests.web_page.fake import FakeWorker
from tests.web_page.fake_orders import FIRST_ID, Json, alert_of, make_order, moment
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


def attempts(*spans: tuple[int, int]) -> list[Json]:
    """What the API says of attempts from and to so many ms after the order was created."""
    return [{"began": moment(1, began), "ended": moment(1, ended)} for began, ended in spans]


def pay_at(worker: FakeWorker, tries: int, *spans: tuple[int, int]) -> None:
    worker.put(make_order(1))
    worker.pay(ID, attempts=tries, times=attempts(*spans))
    worker.orders[ID]["payment"]["paid_at"] = moment(1, spans[-1][1])


async def parts_of(step: Locator) -> list[tuple[str, float, float]]:
    """The parts of a step's bar: their classes, and where they begin and end on the axis."""
    found = await step.evaluate(
        """(item) => {
          const lane = item.querySelector(".lane").getBoundingClientRect();
          const place = (x) => (x - lane.left) / lane.width;
          return [...item.querySelectorAll(".lane span:not(.cut)")].map((part) => {
            const { left, right } = part.getBoundingClientRect();
            return [part.className, place(left), place(right)];
          });
        }"""
    )
    return [(name, begin, end) for name, begin, end in found]


@pytest.mark.parametrize("width", [390, 1280])
async def test_each_attempt_at_a_payment_is_drawn_to_scale_and_told_with_its_wait(
    worker: FakeWorker, open_page: OpenPage, width: int
) -> None:
    pay_at(worker, 3, (20, 120), (220, 320), (420, 500))
    page = await open_order(worker, open_page, width=width)

    paid = story(page).locator("li", has_text="Paid")
    await expect(paid).to_contain_text(
        "3 attempts: failed after 100 ms, waited 100 ms, failed after 100 ms, "
        "waited 100 ms, answered after 80 ms"
    )
    await expect(paid.locator(".lane")).to_have_attribute("aria-hidden", "true")
    parts = await parts_of(paid)
    expected = [("waits", 0, 20), ("tries", 20, 120), ("tries", 220, 320), ("", 420, 500)]
    assert [name for name, *_ in parts] == [name for name, *_ in expected]
    for (_, begin, end), (name, *times) in zip(parts, expected, strict=True):
        assert (begin, end) == pytest.approx([time / 500 for time in times], abs=0.012), name
    assert await words(page.locator("#story-axis")) == "0 +500 ms"
    # It was stored before payment began.
    await expect(story(page)).to_contain_text("Waited in Kafka at most 12 ms")


async def test_an_attempt_ends_the_wait_in_kafka_although_it_failed(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    pay_at(worker, 2, (5, 105), (205, 300))
    page = await open_order(worker, open_page)

    await expect(story(page)).to_contain_text("Waited in Kafka at most 5 ms")


@pytest.mark.parametrize(
    ("tries", "earlier"), [(12, ""), (1012, "1,000 earlier ones failed, ")]
)
async def test_of_many_attempts_all_are_drawn_and_the_first_and_last_are_told(
    worker: FakeWorker, open_page: OpenPage, tries: int, earlier: str
) -> None:
    spans = [(50 * n + 20, 50 * n + 30) for n in range(12)]
    pay_at(worker, tries, *spans)
    page = await open_order(worker, open_page)

    paid = story(page).locator("li", has_text="Paid")
    one = "waited 40 ms, failed after 10 ms, "
    await expect(paid).to_contain_text(
        f"{tries:,} attempts: {earlier}failed after 10 ms, {one * 3}5 more failed, {one * 2}"
        "waited 40 ms, answered after 10 ms"
    )
    names = [name for name, *_ in await parts_of(paid)]
    assert names == ["tries" if earlier else "waits", *["tries"] * 11, ""]


@pytest.mark.parametrize(
    "odd",
    [
        [],
        attempts((20, 120)),
        attempts((220, 320), (20, 120)),
        attempts((20, 10), (20, 120)),
        [{"began": "soon", "ended": "later"}] * 2,
    ],
)
async def test_attempts_whose_times_are_not_known_are_told_in_one(
    worker: FakeWorker, open_page: OpenPage, odd: list[Json]
) -> None:
    worker.put(make_order(1))
    worker.pay(ID, attempts=3, times=odd)
    page = await open_order(worker, open_page)

    paid = story(page).locator("li", has_text="Paid")
    await expect(paid).to_contain_text("3 attempts and the waits between them: 104 ms")
    assert [name for name, *_ in await parts_of(paid)] == ["tries"]


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
