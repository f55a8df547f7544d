"""How page tests look at the page: as people and screen readers do."""

import asyncio
from collections.abc import Callable
from typing import Any

from playwright.async_api import Locator, Page, expect

#: The times' zone is that of tests/browser.py.
COLUMNS = ["Order", "Time CET", "Amount", "Country", "Status", "Customer", "Kafka"]


def cell(page: Page, column: str, row: int = 0) -> Locator:
    """One cell, found by its row and its column's header."""
    found = page.locator("#rows tr").nth(row).locator("th, td")
    return found.nth(COLUMNS.index(column))


def row_of(page: Page, order_id: int) -> Locator:
    """The row of an order."""
    return page.locator("#rows tr").filter(has=page.get_by_role("link", name=str(order_id)))


def story(page: Page) -> Locator:
    """The open story."""
    return page.locator("#story")


async def try_it(page: Page) -> None:
    """Open the form that sends an order."""
    await page.get_by_role("button", name="Try it").click()


async def words(found: Any) -> str:
    """What is seen, in one line."""
    return " ".join((await found.inner_text()).split())


async def expect_state(page: Page, state: str) -> None:
    """Wait for the connection's short name."""
    await expect(page.locator("#state")).to_have_text(state)


async def shown_ids(page: Page) -> list[int]:
    """The ids in the list, from the top."""
    return [int(text) for text in await page.locator("#rows a").all_inner_texts()]


async def tones(found: Locator) -> list[str]:
    """The tones of the chips in an element."""
    chips = await found.locator(".chip").all()
    return [await chip.get_attribute("data-tone") or "" for chip in chips]


async def hide(page: Page, hidden: bool) -> None:
    """Tell the page that its tab is in the background, or in front again."""
    await page.evaluate(
        """(hidden) => {
          Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


async def until(condition: Callable[[], bool], seconds: int = 60) -> None:
    """Wait until something is so at the worker."""
    for _ in range(20 * seconds):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"still not so after {seconds} s")
