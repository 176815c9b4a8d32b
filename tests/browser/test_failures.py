"""What the page shows of the author's errors, first and in red."""

import pytest
from playwright.async_api import Browser, expect

from tests.browser.opened_page import line_of, open_page
from tests.playground.dev import Dev

BLOCKED = line_of("time.sleep(")
pytestmark = [
    pytest.mark.timeout(90),
    pytest.mark.unmeasured,
    pytest.mark.usefixtures("pages"),
]


async def test_the_authors_error_is_on_top_and_in_the_dialog(
    browser: Browser, shared_dev: Dev
) -> None:
    """Message, place, line of code, a suggestion, and the author's own frames; no green end."""
    opened = await open_page(browser, shared_dev, locale="en-US")
    page = opened.page
    await opened.run("boom")
    await expect(page.locator("#chat .note.bad")).to_have_text("The block failed: internal")
    top = page.locator("#run-error")
    await expect(top).to_contain_text("AttributeError: 'Context' object has no attribute")
    await expect(top).to_contain_text(f"{line_of('ctx.sned_message')} in misspelt")
    card = page.locator("#chat .error-card")
    await expect(card).to_contain_text("return ctx.sned_message")
    await expect(card).to_contain_text("Did you mean 'send_message'?")
    await card.locator("summary").click()
    await expect(card).to_contain_text("misspelt(ctx)")
    await expect(card).not_to_contain_text("vertexkit/")
    await expect(page.locator("#chat-head .outcome.bad")).to_contain_text("failed: internal")
    await expect(page.locator("#rows .kind-end.bad")).to_have_text("failed: internal")
    await expect(page.locator("#rows .kind-end.good, #chat .note.ok")).to_have_count(0)
    await expect(page.locator("#history a").first).to_contain_text("internal")
    await opened.screenshot("error")
    assert opened.console_errors == []


async def test_a_blocked_event_loop_is_reported(browser: Browser, shared_dev: Dev) -> None:
    """With the line of the handler, in the dialog, in the timeline and in the terminal."""
    opened = await open_page(browser, shared_dev, locale="en-US")
    await opened.run("blocks_loop")
    try:
        shared_dev.process.wait_for(f"blocks_loop blocks the event loop: {BLOCKED}")
    finally:
        (shared_dev.folder / "unblocked").touch()
    await opened.wait_for_text("the event loop is blocked for more than")
    place = opened.page.locator("#chat .note.bad").first
    await expect(place).to_contain_text(f"{BLOCKED} in wait_for_file")
    await expect(opened.page.locator("#rows .kind-note.bad").first).to_be_visible()
