"""The waterfall of a run."""

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.opened_page import open_page
from tests.playground.dev import Dev

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.unmeasured,
    pytest.mark.usefixtures("pages"),
]
STARTS = """rows => rows.map(row => Number(
    row.querySelector('.track i').style.getPropertyValue('--start')))"""


async def start_loan(page: Page, fault: str) -> None:
    await page.get_by_label("Номер карты").fill("4111")
    await page.click("#wrong summary")
    await page.select_option("#fault", fault)


async def test_a_row_for_each_message_and_step(browser: Browser, shared_dev: Dev) -> None:
    """A message has one row with its tries, a step its arguments, result and duration."""
    opened = await open_page(browser, shared_dev, locale="en-US")
    page = opened.page
    await start_loan(page, "rate_limit")
    await opened.run()
    await opened.wait_for_text("The block is completed")
    messages = page.locator("#rows .kind-message")
    await expect(messages).to_have_count(2)
    await expect(messages.first).to_contain_text("3 tries")
    await expect(messages.first).to_contain_text("429")
    assert await messages.first.locator(".track i").count() == 4  # the whole, and each try
    starts = await page.locator("#rows .entry").evaluate_all(STARTS)
    assert starts == sorted(starts)
    await page.locator("#rows .kind-step").click()
    detail = page.locator("#detail .sides")
    await expect(detail.locator("pre").first).to_contain_text('"months": 12')
    await expect(detail.locator("pre").last).to_have_text("0.12")
    await opened.screenshot("timeline")
    assert opened.console_errors == []


async def test_bubbles_and_rows_select_each_other(browser: Browser, shared_dev: Dev) -> None:
    """A click selects both; request and response are side by side, without the token."""
    opened = await open_page(browser, shared_dev)
    page = opened.page
    await start_loan(page, "")
    await opened.run()
    await opened.wait_for_text("Блок завершён")
    rows, bubbles = page.locator("#rows .kind-message"), page.locator("#chat .bubble")
    await rows.nth(1).click()
    await expect(bubbles.nth(1)).to_have_class("bubble selected")
    panes = page.locator("#detail .sides > div")
    left, right = await panes.nth(0).bounding_box(), await panes.nth(1).bounding_box()
    assert left is not None
    assert right is not None
    assert (left["y"], left["x"] < right["x"]) == (right["y"], True)
    await expect(panes.first).to_contain_text('"token": "•••"')
    await bubbles.nth(0).click()
    await expect(rows.nth(0)).to_have_attribute("aria-pressed", "true")
    await expect(bubbles.nth(1)).to_have_class("bubble")
    await page.focus("#rows .kind-message")
    await page.keyboard.press("End")
    await page.keyboard.press("Enter")
    await expect(page.locator("#detail h3")).to_have_text("завершено")
    assert opened.console_errors == []


async def test_attempts_are_groups_after_a_crash(browser: Browser, shared_dev: Dev) -> None:
    """The killed attempt is marked, and what each attempt did is below it."""
    opened = await open_page(browser, shared_dev, locale="en-US", color_scheme="dark")
    page = opened.page
    await start_loan(page, "crash")
    await opened.run()
    await opened.wait_for_text("The block is completed")
    names = [text.strip() for text in await page.locator("#rows .name").all_inner_texts()]
    order = [name.split()[0] for name in names]
    assert order[:3] == ["call", "handler,", "Здравствуйте,"]
    await expect(page.locator("#rows .kind-attempt.bad")).to_contain_text("killed")
    await expect(page.locator("#rows .kind-attempt")).to_have_count(2)
    assert opened.console_errors == []
