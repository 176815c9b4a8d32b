"""The page in the system's Chromium; screenshots are saved in the folder that SCREENSHOTS names."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from tests.browser.chromium import CHROMIUM, Chromium
from tests.browser.opened_page import BLOCKS
from tests.cli.shell import Shell
from tests.playground.dev import Dev
from tests.tools import reason


@pytest.fixture(scope="package")
def anyio_backend() -> str:
    """One event loop for all tests of the folder, because they share the connection to Chromium."""
    return "asyncio"


@pytest.fixture(scope="package")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """One Chromium for all tests; each has a profile of its own in it."""
    if CHROMIUM is None:
        pytest.skip(reason("chromium"))
    chromium = Chromium(tmp_path_factory.mktemp("chromium"))
    yield chromium
    chromium.close()


@pytest.fixture(scope="package")
async def browser(chromium: Chromium) -> AsyncIterator[Browser]:
    """A connection to Chromium for all tests."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.connect_over_cdp(chromium.address)
        yield browser
        await browser.close()


def start_dev(folder: Path, *, forks: bool) -> tuple[Shell, Dev]:
    """Start `vertexkit dev` in a folder with the blocks of these tests."""
    shell = Shell(folder)
    shutil.copy(BLOCKS, folder / "blocks.py")
    return shell, Dev(shell, "blocks:app", forks=forks)


@pytest.fixture(scope="package")
def shared_dev(chromium: Chromium, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """`vertexkit dev` of all tests that do not change the app's file; pauses take no time."""
    shell, dev = start_dev(tmp_path_factory.mktemp("dev"), forks=False)
    dev.ask("/playground/speed", {"speed": 0})
    yield dev
    shell.close()


@pytest.fixture
def dev(chromium: Chromium, tmp_path: Path) -> Iterator[Dev]:
    """`vertexkit dev` for one test."""
    shell, dev = start_dev(tmp_path, forks=True)
    yield dev
    shell.close()


@pytest.fixture
async def pages(browser: Browser) -> AsyncIterator[None]:
    """Closes the pages that a test has opened."""
    yield
    for context in browser.contexts[1:]:  # the first one is that of Chromium itself
        await context.close()
