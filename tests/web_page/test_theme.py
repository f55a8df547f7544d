"""Light or dark: as the system, or as chosen on the page."""

from playwright.async_api import Page, expect

from tests.browser import OpenPage
from tests.web_page.fake import STATIC, FakeWorker
from tests.web_page.fake_orders import make_order
from tests.web_page.test_accessibility import CONTRASTS

LIGHT, DARK = "rgb(243, 245, 249)", "rgb(13, 18, 24)"
GROUND = "getComputedStyle(document.documentElement).backgroundColor"


async def open_at(worker: FakeWorker, open_page: OpenPage, scheme: str) -> Page:
    worker.put(make_order(1))
    page = (await open_page(worker.url)).page
    await page.emulate_media(color_scheme=scheme)
    await expect(page.locator("#rows tr")).to_have_count(1)
    await expect(page.locator("#activity canvas")).to_be_visible()
    return page


async def test_the_colours_are_the_systems_until_others_are_chosen(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = await open_at(worker, open_page, "light")
    choice = page.get_by_label("Colours")

    await expect(choice).to_have_value("system")
    assert await page.evaluate(GROUND) == LIGHT
    await page.emulate_media(color_scheme="dark")
    assert await page.evaluate(GROUND) == DARK
    await choice.select_option("light")
    assert await page.evaluate(GROUND) == LIGHT


async def test_what_was_chosen_is_there_before_anything_is_drawn(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = await open_at(worker, open_page, "light")
    await page.get_by_label("Colours").select_option("dark")
    # The body's first moment: no module has run, and nothing was painted.
    await page.add_init_script(
        """new MutationObserver((_, observer) => {
          if (!document.body) return;
          window.atFirst = getComputedStyle(document.documentElement).backgroundColor;
          observer.disconnect();
        }).observe(document, { childList: true, subtree: true });"""
    )
    await page.reload()

    await expect(page.get_by_label("Colours")).to_have_value("dark")
    assert await page.evaluate("window.atFirst") == DARK
    assert '<script src="static/theme.js"></script>' in (STATIC / "index.html").read_text()


async def test_dark_by_choice_has_contrast_and_other_bars(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = await open_at(worker, open_page, "light")
    await page.evaluate("document.querySelector('#activity canvas').dataset.before = 'yes'")
    await page.get_by_label("Colours").select_option("dark")

    await expect(page.locator("#activity canvas[data-before]")).to_have_count(0)
    await expect(page.locator("#activity canvas")).to_be_visible()
    poor = [(text, ratio) for text, ratio in await page.evaluate(CONTRASTS) if ratio < 4.5]
    assert poor == []


async def test_paper_is_light(worker: FakeWorker, open_page: OpenPage) -> None:
    page = await open_at(worker, open_page, "light")
    await page.get_by_label("Colours").select_option("dark")
    await page.emulate_media(media="print")

    assert await page.evaluate(GROUND) == LIGHT
    await expect(page.get_by_label("Colours")).to_be_hidden()


async def test_an_unknown_choice_is_the_systems(
    worker: FakeWorker, open_page: OpenPage
) -> None:
    page = await open_at(worker, open_page, "dark")
    await page.evaluate("localStorage.setItem('orderapp-theme', 'toString')")
    await page.reload()

    await expect(page.get_by_label("Colours")).to_have_value("system")
    assert await page.evaluate(GROUND) == DARK
