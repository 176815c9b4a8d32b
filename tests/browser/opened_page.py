"""A page of the playground that is open in the browser."""

import os
from pathlib import Path

from playwright.async_api import Browser, Page

from tests.playground.dev import Dev

BLOCKS = Path(__file__).with_name("blocks.py")
SCREENSHOTS_FOLDER = Path(os.environ.get("SCREENSHOTS", Path(__file__).parents[2] / "screenshots"))


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
        page.set_default_timeout(40_000)

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
        """Save a screenshot."""
        await self.page.screenshot(path=SCREENSHOTS_FOLDER / f"{name}.png", full_page=whole)


async def open_page(browser: Browser, dev: Dev, path: str = "/", **options: object) -> OpenPage:
    """Open the page and wait until the app is ready."""
    settings: dict[str, object] = {"locale": "ru-RU", "viewport": {"width": 1440, "height": 900}}
    context = await browser.new_context(**(settings | options))  # type: ignore[arg-type]
    return await open_tab(await context.new_page(), dev, path)


async def open_tab(page: Page, dev: Dev, path: str = "/") -> OpenPage:
    """Open the page in a tab and wait until the app is ready."""
    opened = OpenPage(page)
    await page.goto(dev.url + path)
    await page.wait_for_selector(".phase.ready")
    await page.wait_for_selector("#block option", state="attached")
    return opened
