"""The dashboard in a real browser, against a worker that answers what the test scripts."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Page, expect

from tests.browser import OpenPage

# By its path: importing the package would make the whole app.
STATIC = Path(__file__).parents[2] / "orderapp" / "web" / "static"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
FIRST_ID = 1_764_000_000_000_000
COLUMNS = [
    "Order",
    "Time",
    "Customer",
    "Amount",
    "Country",
    "Fraud",
    "Payment",
    "Partition:offset",
]


def make_order(number: int, **changes: Any) -> dict[str, Any]:
    """A safe, unpaid order; `number` makes its id, its time and its place in Kafka."""
    order = {
        "order_id": FIRST_ID + number,
        "customer_id": 1234,
        "amount": 99.5,
        "country": "US",
        "created_at": f"2026-11-23T18:00:{number % 60:02d}.000000Z",
        "kafka_offset": number,
        "kafka_partition": number % 6,
        "type": "order",
        "alerts": [],
        "payment": None,
    }
    return order | changes


def make_alert() -> dict[str, Any]:
    """An alert as far as the page looks at it."""
    return {"reason": "HIGH_AMOUNT_RISKY_COUNTRY", "type": "alert"}


def make_payment(status: str = "PAID") -> dict[str, Any]:
    """A payment as far as the page looks at it."""
    return {"payment_id": "pay-1", "status": status, "type": "payment"}


class Worker:
    """Serves the real files and a scripted API; it can go away and come back on its port."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = []
        self.store_error: str | None = None
        self.missing: list[str] = []
        self.delay = 0.0
        self.limits: list[int] = []
        self.most_at_once = 0
        self._at_once = 0
        self._asked = asyncio.Condition()
        self._port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/"

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/", self._page)
        app.router.add_static("/static/", STATIC)
        app.router.add_get("/api/analytics", self._analytics)
        app.router.add_get("/readyz", self._ready)
        app.on_response_prepare.append(self._secure)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def was_asked(self, times: int) -> None:
        """Return when the page has asked for orders so many times."""
        async with self._asked:
            await self._asked.wait_for(lambda: len(self.limits) >= times)

    async def _secure(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers["Content-Security-Policy"] = CSP

    async def _page(self, _: web.Request) -> web.FileResponse:
        return web.FileResponse(STATIC / "index.html")

    async def _analytics(self, request: web.Request) -> web.Response:
        async with self._asked:
            self.limits.append(int(request.query["limit"]))
            self._asked.notify_all()
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await asyncio.sleep(self.delay)
        finally:
            self._at_once -= 1
        if self.store_error is not None:
            return web.json_response({"status": "error", "error": self.store_error}, status=503)
        return web.json_response({"status": "ok", "orders": self.orders[: self.limits[-1]]})

    async def _ready(self, _: web.Request) -> web.Response:
        if self.missing:
            return web.json_response(
                {"status": "unavailable", "missing": self.missing}, status=503
            )
        return web.json_response({"status": "ok"})


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    worker = Worker()
    await worker.start()
    yield worker
    await worker.stop()


def cells(page: Page, column: str, row: int = 0) -> Any:
    """One cell, found as a screen reader finds it: by its row and its column's header."""
    return page.locator("tbody tr").nth(row).locator("th, td").nth(COLUMNS.index(column))


async def expect_state(page: Page, state: str, timeout: float = 15) -> None:
    await expect(page.locator("#state")).to_have_text(state, timeout=timeout * 1000)


async def hide(page: Page, hidden: bool) -> None:
    """Make the page believe that its tab went to the back (or came to the front)."""
    await page.evaluate(
        """hidden => {
          Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


async def test_no_orders_says_what_to_do(worker: Worker, open_page: OpenPage) -> None:
    page = (await open_page(worker.url)).page

    await expect(page.locator("#empty")).to_contain_text("faust -A orderapp send orders")
    await expect(page.locator("table")).to_be_hidden()
    await expect(page.locator("#count-orders")).to_have_text("0")

    worker.orders = [make_order(1)]
    await expect(page.locator("tbody tr")).to_have_count(1)
    await expect(page.locator("#empty")).to_be_hidden()


async def test_orders_appear_newest_first_with_what_was_found(
    worker: Worker, open_page: OpenPage
) -> None:
    worker.orders = [
        make_order(3, amount=350, country="DE", alerts=[make_alert()], payment=make_payment()),
        make_order(2, payment=make_payment("DECLINED")),
        make_order(1),
    ]
    page = (await open_page(worker.url)).page
    await expect(page.locator("tbody tr")).to_have_count(3)

    assert [
        [str(FIRST_ID + 3), "DE", "350.00", "alert HIGH_AMOUNT_RISKY_COUNTRY", "paid", "3:3"],
        [str(FIRST_ID + 2), "US", "99.50", "no alert", "declined", "2:2"],
        [str(FIRST_ID + 1), "US", "99.50", "no alert", "waiting", "1:1"],
    ] == [
        [
            " ".join((await cells(page, column, row).inner_text()).split())
            for column in ("Order", "Country", "Amount", "Fraud", "Payment", "Partition:offset")
        ]
        for row in range(3)
    ]
    shown = cells(page, "Time").locator("time")
    await expect(shown).to_have_attribute("datetime", "2026-11-23T18:00:03.000000Z")
    await expect(shown).to_contain_text("19:00:03")  # the browser's zone is Berlin
    await expect(page.locator("#count-orders")).to_have_text("3")
    for name in ("alerts", "paid", "declined", "waiting"):
        await expect(page.locator(f"#count-{name}")).to_have_text("1")


async def test_order_id_beyond_double_precision_is_shown_exactly(
    worker: Worker, open_page: OpenPage
) -> None:
    worker.orders = [make_order(1, order_id=2**63 - 1), make_order(1, order_id=2**63 - 2)]
    page = (await open_page(worker.url)).page

    await expect(page.locator("tbody tr")).to_have_count(2)
    await expect(cells(page, "Order")).to_have_text("9223372036854775807")


async def test_payment_changes_its_chip_and_keeps_row_and_focus(
    worker: Worker, open_page: OpenPage
) -> None:
    worker.orders = [make_order(1)]
    page = (await open_page(worker.url)).page
    await expect(cells(page, "Payment")).to_have_text("waiting")
    link = cells(page, "Order").get_by_role("link")
    await link.focus()
    await page.locator("tbody tr").evaluate("row => { row.marked = true }")

    worker.orders = [make_order(2), make_order(1, payment=make_payment())]
    await expect(cells(page, "Payment", row=1)).to_have_text("paid")

    assert await page.locator("tbody tr").nth(1).evaluate("row => row.marked")
    await expect(cells(page, "Order", row=1).get_by_role("link")).to_be_focused()
    assert [
        "fresh" in (await page.locator("tbody tr").nth(row).get_attribute("class") or "")
        for row in range(2)
    ] == [True, False]


async def test_focus_stays_in_the_table_when_its_row_leaves(
    worker: Worker, open_page: OpenPage
) -> None:
    worker.orders = [make_order(1)]
    page = (await open_page(worker.url)).page
    await cells(page, "Order").get_by_role("link").focus()

    worker.orders = [make_order(2)]
    await expect(cells(page, "Order")).to_have_text(str(FIRST_ID + 2))

    await expect(page.get_by_role("region", name="Latest orders")).to_be_focused()


async def test_markup_in_an_order_is_shown_as_text(worker: Worker, open_page: OpenPage) -> None:
    evil = "<img src=/static/none onerror=alert(1)>"
    worker.orders = [
        make_order(1, country=evil, created_at=evil, alerts=[{"reason": evil}]),
        make_order(2, country=evil, payment=make_payment(evil)),
    ]
    visit = await open_page(worker.url)

    await expect(cells(visit.page, "Country")).to_have_text(evil)
    await expect(cells(visit.page, "Time")).to_have_text(evil)
    await expect(cells(visit.page, "Fraud")).to_contain_text(evil)
    await expect(cells(visit.page, "Payment", row=1)).to_have_text(evil)
    assert await visit.page.locator("table img").count() == 0
    assert visit.errors == []


async def test_store_away_shows_its_text_and_recovers(
    worker: Worker, open_page: OpenPage
) -> None:
    worker.orders = [make_order(1)]
    page = (await open_page(worker.url)).page
    await expect_state(page, "Live")

    worker.store_error = "the store did not answer within 2 s"
    await expect_state(page, "Store away")
    await expect(page.locator("#problem")).to_contain_text(worker.store_error)
    await expect(page.get_by_role("status")).to_have_text(f"Store away. {worker.store_error}")
    await expect(page.locator("tbody tr")).to_have_count(1)

    worker.store_error = None
    await expect_state(page, "Live")
    await expect(page.locator("#problem")).to_be_hidden()


async def test_worker_gone_says_so_marks_old_data_and_recovers(
    worker: Worker, open_page: OpenPage
) -> None:
    worker.orders = [make_order(1)]
    page = (await open_page(worker.url)).page
    await expect_state(page, "Live")

    await worker.stop()
    await expect_state(page, "Worker not reachable")
    await expect(page.locator("#age")).to_contain_text("(stale)", timeout=10_000)
    await expect(page.locator("tbody tr")).to_have_count(1)

    await worker.start()
    await expect_state(page, "Live")
    await expect(page.locator("#age")).to_have_text("updated just now")


async def test_worker_that_is_not_ready_names_what_is_missing(
    worker: Worker, open_page: OpenPage
) -> None:
    worker.missing = ["partitions"]
    page = (await open_page(worker.url)).page

    await expect_state(page, "Worker not ready")
    await expect(page.locator("#problem")).to_contain_text("Missing: partitions.")

    worker.missing = []
    await expect_state(page, "Live")


async def test_only_connection_changes_are_announced(
    worker: Worker, open_page: OpenPage
) -> None:
    page = (await open_page(worker.url)).page
    await expect_state(page, "Live")
    await page.locator("#announcer").evaluate(
        """node => { window.spoken = 0; new MutationObserver(() => { window.spoken += 1 })
          .observe(node, { childList: true, characterData: true, subtree: true }) }"""
    )

    for number in (1, 2):
        worker.orders = [make_order(number), *worker.orders]
        await expect(page.locator("tbody tr")).to_have_count(number)
    assert await page.evaluate("window.spoken") == 0

    worker.store_error = "away"
    await expect_state(page, "Store away")
    assert await page.evaluate("window.spoken") == 1


async def test_slow_answers_never_overlap(worker: Worker, open_page: OpenPage) -> None:
    worker.delay = 1.3
    page = (await open_page(worker.url)).page
    await page.locator("#limit").select_option("50")
    await worker.was_asked(3)

    assert worker.most_at_once == 1
    assert worker.limits == [25, 50, 50]


async def test_hidden_tab_and_pause_ask_nothing(worker: Worker, open_page: OpenPage) -> None:
    page = (await open_page(worker.url)).page
    await expect_state(page, "Live")

    await hide(page, True)
    await asyncio.sleep(0.3)  # what was under way has ended
    asked = len(worker.limits)
    await asyncio.sleep(1.5)
    assert asked == len(worker.limits)
    await hide(page, False)
    worker.orders = [make_order(1)]
    await expect(page.locator("tbody tr")).to_have_count(1)

    await page.get_by_role("button", name="Pause updates").click()
    await expect_state(page, "Paused")
    await asyncio.sleep(0.3)
    asked = len(worker.limits)
    await asyncio.sleep(1.5)
    assert asked == len(worker.limits)
    await page.get_by_role("button", name="Resume updates").click()
    await expect_state(page, "Live")


async def test_errors_are_asked_about_less_and_less(
    worker: Worker, open_page: OpenPage
) -> None:
    worker.store_error = "away"
    page = (await open_page(worker.url)).page
    await expect_state(page, "Store away")
    started = time.monotonic()
    await worker.was_asked(3)

    assert time.monotonic() - started > (2 + 4) * 0.8 - 0.5


@pytest.mark.parametrize("width", [360, 390, 768, 1024, 1280])
async def test_page_never_scrolls_sideways(
    worker: Worker, open_page: OpenPage, width: int
) -> None:
    worker.orders = [
        make_order(1, country="W" * 80, alerts=[make_alert()], payment=make_payment()),
        make_order(2, amount=123456789.99, alerts=[make_alert()], order_id=2**63 - 1),
    ]
    worker.missing = ["W" * 80]
    page = (await open_page(worker.url, width=width)).page
    await expect(page.locator("tbody tr")).to_have_count(2)
    await expect_state(page, "Worker not ready")

    assert width == await page.evaluate("document.scrollingElement.scrollWidth")


@pytest.mark.parametrize("width", [390, 1280])
async def test_table_keeps_its_meaning_at_every_width(
    worker: Worker, open_page: OpenPage, width: int
) -> None:
    worker.orders = [make_order(1)]
    page = (await open_page(worker.url, width=width)).page

    table = page.get_by_role("table", name="The latest orders, newest first")
    await expect(table.get_by_role("columnheader")).to_have_text(COLUMNS)
    await expect(table.get_by_role("rowheader", name=str(FIRST_ID + 1))).to_be_visible()


# Every visible text against the background that it stands on, by the WCAG formula.
CONTRASTS = """() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const luminance = (color) => {
    const [r, g, b] = channels(color).map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    const color = getComputedStyle(element).backgroundColor;
    return channels(color)[3] === 0 ? ground(element.parentElement) : color;
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.checkVisibility()) continue;
    if (element.closest(".visually-hidden, option, script")) continue;
    const pair = [getComputedStyle(element).color, ground(element)].map(luminance);
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    found.push([texts.currentNode.data.trim(), ratio]);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_text_has_contrast_in_both_schemes(
    worker: Worker, open_page: OpenPage, scheme: str
) -> None:
    worker.orders = [
        make_order(3, alerts=[make_alert()], payment=make_payment()),
        make_order(2, payment=make_payment("DECLINED")),
        make_order(1, payment=make_payment("REFUNDED")),
        make_order(0),
    ]
    worker.missing = ["partitions"]
    page = (await open_page(worker.url, color_scheme=scheme)).page
    await expect(page.locator("tbody tr")).to_have_count(4)
    await expect_state(page, "Worker not ready")

    found = await page.evaluate(CONTRASTS)
    assert len(found) > 60
    assert [(text, ratio) for text, ratio in found if ratio < 4.5] == []
    ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) < 3 * 64) == (scheme == "dark")


async def test_highlight_respects_reduced_motion(worker: Worker, open_page: OpenPage) -> None:
    worker.orders = [make_order(1)]
    page = (await open_page(worker.url, reduced_motion="reduce")).page
    await expect(page.locator("tbody tr")).to_have_count(1)

    worker.orders = [make_order(2), make_order(1)]
    await expect(page.locator("tbody tr.fresh")).to_have_css("animation-name", "none")


async def test_page_is_clean_and_talks_to_its_own_server_only(
    worker: Worker, open_page: OpenPage
) -> None:
    worker.orders = [make_order(1)]
    visit = await open_page(worker.url)
    await expect_state(visit.page, "Live")
    worker.orders = [make_order(2, alerts=[make_alert()]), make_order(1)]
    await expect(visit.page.locator("tbody tr")).to_have_count(2)

    assert visit.errors == []
    assert visit.foreign_requests == []


async def test_browser_reports_what_breaks_the_policy(
    worker: Worker, open_page: OpenPage
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
