"""The composer of simulated failures, and the speed of pauses."""

import pytest
from playwright.async_api import Browser, expect

from tests.browser.opened_page import open_page
from tests.playground.dev import Dev

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.unmeasured,
    pytest.mark.usefixtures("pages"),
]


async def test_several_rules_at_once(browser: Browser, shared_dev: Dev) -> None:
    """Status, delay and their counts are composed; the chosen ones are shown before the run."""
    opened = await open_page(browser, shared_dev, locale="en-US")
    page = opened.page
    await page.select_option("#block", "later")
    await page.click("#wrong summary")
    await page.click("#add-rule")
    rule = page.locator("#rules .rule")
    await rule.locator("[name=status]").fill("429")
    await rule.locator("[name=times]").fill("2")
    await page.click("#add-rule")
    await rule.nth(1).locator("[name=kind]").select_option("slow")
    await rule.nth(1).locator("[name=seconds]").fill("0.3")
    await rule.nth(1).locator("[name=times]").fill("0")
    await rule.nth(1).locator("[name=method]").select_option("complete")
    await page.click("#fault")
    assert await page.locator("#chosen .chip").all_inner_texts() == [
        "429, ×2, messages",
        "Delay 0.3 s, always, completion",
    ]
    assert await page.input_value("#fault") == "custom"
    await opened.screenshot("faults")
    run = await opened.run("later")
    await opened.wait_for_text("The block is completed")
    record = shared_dev.ended(run)
    requests = [line for line in record["lines"] if line["kind"] == "request"]
    sent = [line["status"] for line in requests if line["method"] == "send_message"]
    assert sent == [429, 429, 200]
    [completion] = [line for line in requests if line["method"] == "complete"]
    assert completion["fault"] == "slow"
    assert record["run"]["faults"][0]["status"] == 429
    await expect(page.locator("#chat-head .chip")).to_have_count(2)
    assert opened.console_errors == []


async def test_pauses_can_take_no_time(browser: Browser, shared_dev: Dev) -> None:
    """A dialog that is gone ends at once, not after a minute; the timeline shows each try."""
    opened = await open_page(browser, shared_dev, locale="en-US")
    page = opened.page
    for speed in ("10", "0"):  # each is known to the server before the next one
        async with page.expect_response("**/playground/speed"):
            await page.select_option("#speed", speed)
        await expect(page.locator("#speed")).to_have_value(speed)
    await page.select_option("#block", "pay")
    await page.click("#wrong summary")
    await page.select_option("#fault", "gone")
    await page.locator("#rules [name=after]").fill("0")
    await opened.run("pay")
    await opened.wait_for_text("The dialog no longer exists.")
    await expect(page.locator("#rows .kind-completion")).to_contain_text("3 tries")
    await expect(page.locator("#chat-head .outcome")).to_contain_text("dialog gone")
    assert opened.console_errors == []
