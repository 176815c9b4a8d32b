"""The page in the system's Chromium; screenshots are saved in `screenshots/`."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright

from tests.browser.chromium import CHROMIUM, Chromium
from tests.cli.shell import Shell
from tests.playground.dev import Dev
from tests.tools import reason

BLOCKS = Path(__file__).with_name("blocks.py")
SCREENSHOTS_FOLDER = Path(os.environ.get("SCREENSHOTS", Path(__file__).parents[2] / "screenshots"))


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """One Chromium for all tests; each has a profile of its own in it."""
    if CHROMIUM is None:
        pytest.skip(reason("chromium"))
    SCREENSHOTS_FOLDER.mkdir(exist_ok=True)
    chromium = Chromium(tmp_path_factory.mktemp("chromium"))
    yield chromium
    chromium.close()


@pytest.fixture(scope="module")
async def browser(chromium: Chromium) -> AsyncIterator[Browser]:
    """A connection to Chromium, shared by the tests of a file."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.connect_over_cdp(chromium.address)
        yield browser
        await browser.close()


def start_dev(folder: Path) -> tuple[Shell, Dev]:
    """Start `vertexkit dev` in a folder with the blocks of these tests."""
    shell = Shell(folder)
    shutil.copy(BLOCKS, folder / "blocks.py")
    return shell, Dev(shell, "blocks:app")


@pytest.fixture(scope="session")
def shared_dev(chromium: Chromium, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """`vertexkit dev` of all tests that do not change the app's file."""
    shell, dev = start_dev(tmp_path_factory.mktemp("dev"))
    yield dev
    shell.close()


@pytest.fixture
def dev(chromium: Chromium, tmp_path: Path) -> Iterator[Dev]:
    """`vertexkit dev` for one test."""
    shell, dev = start_dev(tmp_path)
    yield dev
    shell.close()


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


@pytest.fixture
async def pages(browser: Browser) -> AsyncIterator[None]:
    """Closes the pages that a test has opened."""
    yield
    for context in browser.contexts[1:]:  # the first one is that of Chromium itself
        await context.close()
