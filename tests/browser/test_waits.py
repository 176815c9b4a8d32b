"""Blocks that wait, on the page: events are sent, time is skipped, both are recorded."""

import re

import pytest
from playwright.async_api import Browser, expect

from tests.browser.opened_page import open_page
from tests.playground.dev import Dev

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.unmeasured,
    pytest.mark.usefixtures("pages"),
]


async def test_an_event_is_sent_and_time_is_skipped(browser: Browser, shared_dev: Dev) -> None:
    """The form is that of the event's model; what happened is in the saved test."""
    opened = await open_page(browser, shared_dev)
    page, wait = opened.page, opened.page.locator(".wait-card")
    run = await opened.run("pay")
    await expect(wait).to_contain_text("Ожидание события «payment»")
    await expect(wait).to_contain_text("осталось 59 мин")
    await page.select_option(".wait-card select[name=method]", label="cash")
    await page.fill(".wait-card input[name=amount]", "0")
    await page.get_by_role("button", name="Отправить событие").click()
    await expect(wait.get_by_role("alert")).to_contain_text("amount: должно быть больше 0")
    await opened.screenshot("wait")
    await page.fill(".wait-card input[name=amount]", "500")
    await page.get_by_role("button", name="Отправить событие").click()
    await opened.wait_for_text("Спасибо!")
    await expect(wait).to_contain_text("Ожидание времени")
    await page.get_by_role("button", name="Пропустить 1 час").click()
    await expect(wait).to_contain_text("осталось 22 ч 59 мин")
    await page.get_by_role("button", name="Пропустить всё ожидание").click()
    await opened.wait_for_text("Как вам покупка?")
    await opened.wait_for_text("Блок завершён")
    await expect(wait).to_have_count(0)
    await expect(page.locator("#rows .kind-wait")).to_have_count(2)
    await expect(page.locator("#rows .kind-attempt")).to_have_count(3)
    _, saved = shared_dev.ask(f"/playground/runs/{run}/test", {}, "POST")
    assert 'send_event("payment", {"amount": 500, "method": "cash"})' in saved["code"]
    assert "waiting.skip(seconds=86400)" in saved["code"]
    [rejected] = opened.console_errors  # Chromium reports the response to the invalid event
    assert "422" in rejected


async def test_a_wait_times_out(browser: Browser, shared_dev: Dev) -> None:
    """Skipping the whole wait lets it time out; the timeline says that no event came."""
    opened = await open_page(browser, shared_dev, locale="en-US")
    await opened.run("pay")
    await opened.page.get_by_role("button", name="Skip to the end of the wait").click()
    await opened.wait_for_text("Счёт просрочен.")
    await expect(opened.page.locator("#rows .kind-wait")).to_contain_text("no event came")
    await expect(opened.page.locator("#rows")).to_contain_text(re.compile("skipped: (1 h|59 min)"))
    assert opened.console_errors == []


async def test_a_run_is_stopped(browser: Browser, shared_dev: Dev) -> None:
    """Stop fails the block of a handler that runs, and of one that waits."""
    opened = await open_page(browser, shared_dev, locale="en-US")
    for block in ("hang", "pay"):
        await opened.run(block)
        await opened.page.wait_for_selector("#chat .bubble")
        await opened.page.click("button[data-do=stop]")
        await opened.wait_for_text("The block failed: stopped: The run was stopped")
        await expect(opened.page.locator("button[data-do=stop]")).to_be_hidden()
    assert opened.console_errors == []
