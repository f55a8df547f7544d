"""The dashboard of a real worker, in a real browser."""

import asyncio

from playwright.async_api import expect

from tests.e2e import records


async def test_orders_appear_on_the_page_with_their_verdict_and_payment(pipeline, open_page):
    visit = await open_page(f"http://127.0.0.1:{pipeline.port}/")
    first = 777_000_000
    await asyncio.to_thread(
        records.send,
        pipeline.kafka,
        [records.order(first, 350.0, "DE"), records.order(first + 1, 350.0, "US")],
    )

    for order_id, verdict in ((first, "alert"), (first + 1, "no alert")):
        row = visit.page.get_by_role("row").filter(has_text=str(order_id))
        await expect(row).to_contain_text(verdict, ignore_case=True, timeout=15_000)
        await expect(row).to_contain_text("paid", ignore_case=True)
    assert visit.errors == []
    assert visit.foreign_requests == []


async def test_text_from_an_order_is_no_markup(pipeline, open_page):
    visit = await open_page(f"http://127.0.0.1:{pipeline.port}/")
    country = "<img src=x onerror=alert(1)>"

    await asyncio.to_thread(
        records.send, pipeline.kafka, [records.order(778_000_000, 20.0, country)]
    )

    row = visit.page.get_by_role("row").filter(has_text="778000000")
    await expect(row).to_contain_text(country, timeout=15_000)
    assert visit.errors == []
