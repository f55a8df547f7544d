"""A real Chromium for tests: `open_page` opens a page and keeps everything it complains about.

Only a machine without a Chromium skips; one that does not start fails.
"""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.async_api import (
    Browser,
    ConsoleMessage,
    Error,
    Page,
    Playwright,
    Request,
    async_playwright,
    expect,
)

ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


#: Milliseconds until what a page has to show, or to let be done, is given up: none of it is a
#: matter of time, and a loaded machine may pause for many seconds.
PATIENCE = 60_000
NETWORK_CHANGED = "net::ERR_NETWORK_CHANGED"
#: What a page is made of; it asks again for data by itself.
PARTS = {"document", "script", "stylesheet"}
expect.set_options(timeout=PATIENCE)


@dataclass
class Visit:
    """An open page, and what its browser reported since."""

    page: Page
    origin: str
    errors: list[str] = field(default_factory=list)
    foreign_requests: list[str] = field(default_factory=list)
    #: Whether a part of the page was lost on the way, so that none of it runs.
    cut_off: bool = False

    async def open(self, url: str) -> None:
        """Load the page; again when the machine's network changed meanwhile.

        A browser then drops what is on its way, from loopback too, and any container that
        starts or ends beside the tests is such a change."""
        while True:
            self.cut_off = False
            self.errors.clear()
            self.foreign_requests.clear()
            try:
                await self.page.goto(url)
            except Error as error:
                if NETWORK_CHANGED not in error.message:
                    raise
            else:
                if not self.cut_off:
                    return
            # Else an address with a # would be gone to within the page that there is.
            await self.page.goto("about:blank")

    def note_failed(self, request: Request) -> None:
        """Keep that a part of the page is missing because the network changed."""
        if request.failure == NETWORK_CHANGED and request.resource_type in PARTS:
            self.cut_off = True

    def note_console(self, message: ConsoleMessage) -> None:
        """Keep errors and warnings; a violated content security policy is one of them."""
        if message.type in {"error", "warning"}:
            self.errors.append(f"{message.text} ({message.location.get('url')})")

    def note_request(self, url: str) -> None:
        """Keep what goes to anyone but the server of the page."""
        parts = urlsplit(url)
        if f"{parts.scheme}://{parts.netloc}" != self.origin:
            self.foreign_requests.append(url)


OpenPage = Callable[..., Awaitable[Visit]]


def find_chromium(playwright: Playwright) -> str | None:
    """The path of the system's browser, else of Playwright's own, None if there is neither."""
    for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One browser for the session; each page gets a fresh profile in it."""
    async with async_playwright() as playwright:
        path = find_chromium(playwright)
        if path is None:
            pytest.skip(
                "no Chromium: none of chromium, chromium-browser, google-chrome on PATH, and"
                " Playwright has not installed its own (playwright install chromium)"
            )
        browser = await playwright.chromium.launch(
            executable_path=path, args=ARGS, timeout=2 * PATIENCE
        )
        yield browser
        await browser.close()


@pytest.fixture
async def open_page(browser: Browser) -> AsyncIterator[OpenPage]:
    """`await open_page(url, width=1280, height=900, color_scheme="light")` gives a `Visit`.

    What moves is drawn sixty times a second, so nothing does unless it is asked for."""
    contexts = []

    async def open_page(
        url: str,
        *,
        width: int = 1280,
        height: int = 900,
        color_scheme: Literal["light", "dark"] = "light",
        reduced_motion: Literal["reduce", "no-preference"] = "reduce",
        locale: str = "en-GB",
        scripts: bool = True,
    ) -> Visit:
        context = await browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=color_scheme,
            reduced_motion=reduced_motion,
            locale=locale,
            java_script_enabled=scripts,
            timezone_id="Europe/Berlin",
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        page = await context.new_page()
        parts = urlsplit(url)
        visit = Visit(page, f"{parts.scheme}://{parts.netloc}")
        page.on("console", visit.note_console)
        page.on("pageerror", lambda error: visit.errors.append(str(error)))
        page.on("request", lambda request: visit.note_request(request.url))
        page.on("requestfailed", visit.note_failed)
        await visit.open(url)
        return visit

    yield open_page
    for context in contexts:
        await context.close()
