"""A page of the playground that is open in the browser."""

import os
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.playground.dev import Dev

BLOCKS = Path(__file__).with_name("blocks.py")
SCREENSHOTS_FOLDER = os.environ.get("SCREENSHOTS", "")
"""Where screenshots are saved, to look at; none are made if it is not set, because each costs time."""
PATIENCE_MILLISECONDS = 40_000
expect.set_options(timeout=PATIENCE_MILLISECONDS)


def line_of(code: str) -> str:
    """Return where this code is in the app's file, as errors name it."""
    lines = BLOCKS.read_text(encoding="utf-8").splitlines()
    [number] = [number for number, line in enumerate(lines, 1) if code in line]
    return f"blocks.py:{number}"


class OpenPage:
    """The open page; errors in the browser's console are collected."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.console_errors: list[str] = []
        page.on("pageerror", lambda error: self.console_errors.append(str(error)))
        page.on(
            "console",
            lambda line: self.console_errors.append(line.text) if line.type == "error" else None,
        )
        page.set_default_timeout(PATIENCE_MILLISECONDS)

    async def run(self, block: str | None = None) -> str:
        """Choose a block and press Run; return the run's id, once it is shown."""
        if block is not None:
            await self.page.select_option("#block", block)
        before = self.page.url
        await self.page.click("#run")
        await self.page.wait_for_url(lambda url: url != before and "/runs/" in url)
        return self.page.url.rpartition("/")[2]

    async def wait_for_text(self, text: str, within: str = "#chat") -> None:
        """Wait until the page shows this text."""
        await self.page.locator(within).get_by_text(text, exact=False).first.wait_for()

    async def screenshot(self, name: str, *, whole: bool = False) -> None:
        """Save a screenshot, if the environment names a folder for them."""
        if SCREENSHOTS_FOLDER:
            path = Path(SCREENSHOTS_FOLDER) / f"{name}.png"
            await self.page.screenshot(path=path, full_page=whole)


async def open_page(browser: Browser, dev: Dev, path: str = "/", **options: object) -> OpenPage:
    """Open the page and wait until the app is ready."""
    context = await open_context(browser, **{"locale": "ru-RU"} | options)
    return await open_tab(await context.new_page(), dev, path)


async def open_context(browser: Browser, **options: object) -> BrowserContext:
    """Open a profile of its own, without animations: each of their frames takes processor time."""
    settings: dict[str, object] = {
        "viewport": {"width": 1440, "height": 900},
        "reduced_motion": "reduce",
    }
    return await browser.new_context(**(settings | options))  # pyrefly: ignore[bad-argument-type]


async def open_tab(page: Page, dev: Dev, path: str = "/") -> OpenPage:
    """Open the page in a tab and wait until the app is ready."""
    opened = OpenPage(page)
    await page.goto(dev.url + path)
    await page.wait_for_selector(".phase.ready")
    await page.wait_for_selector("#block option", state="attached")
    return opened
