"""Any number of tabs of the page."""

import pytest
from playwright.async_api import Browser, expect

from tests.browser.opened_page import open_page, open_tab
from tests.playground.dev import Dev

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.unmeasured,
    pytest.mark.usefixtures("pages"),
]


async def test_eight_tabs_share_one_connection(browser: Browser, shared_dev: Dev) -> None:
    """Each tab works and sees the runs of the others; a browser allows six connections."""
    first = await open_page(browser, shared_dev, locale="en-US")
    context = first.page.context
    tabs = [first, *[await open_tab(await context.new_page(), shared_dev) for _ in range(7)]]
    await first.page.bring_to_front()
    run = await first.run("later")
    await first.wait_for_text("The block is completed")
    for tab in (tabs[1], tabs[-1]):
        await tab.page.bring_to_front()
        await expect(tab.page.locator(f'#history a[data-run="{run}"]')).to_be_visible()
    await tabs[-1].run("later")
    await tabs[-1].wait_for_text("The block is completed")
    assert [tab.console_errors for tab in tabs] == [[]] * 8


async def test_a_saved_test_does_not_restart_the_app(browser: Browser, shared_dev: Dev) -> None:
    """A run in progress continues while the test of another one is saved."""
    opened = await open_page(browser, shared_dev, locale="en-US")
    page = opened.page
    ended = await opened.run("later")
    await opened.wait_for_text("The block is completed")
    await opened.run("pay")
    await page.wait_for_selector(".wait-card")
    status, saved = shared_dev.ask(f"/playground/runs/{ended}/test", {}, "POST")
    assert status == 201
    assert (shared_dev.folder / saved["path"]).is_file()
    _, state = shared_dev.ask("/playground/state")
    assert state["phase"] == "ready"
    await page.get_by_role("button", name="Send event").click()
    await opened.wait_for_text("Спасибо!")
    await expect(page.locator("#rows .kind-attempt.bad")).to_have_count(0)
    await page.click("button[data-do=stop]")
    await opened.wait_for_text("The block failed: stopped")
