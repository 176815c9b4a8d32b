"""Runs have addresses, can be found, repeated, edited, replayed; inputs can be saved by name."""

import asyncio
import json

import pytest
from playwright.async_api import Browser, Route, expect

from tests.browser.opened_page import BLOCKS, open_context, open_page, open_tab
from tests.playground.dev import Dev

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.unmeasured,
    pytest.mark.usefixtures("pages"),
]


async def test_a_run_has_an_address(browser: Browser, shared_dev: Dev) -> None:
    """It survives a reload, can be opened elsewhere, and the browser goes back to the run before."""
    opened = await open_page(browser, shared_dev, locale="en-US")
    page = opened.page
    first = await opened.run("later")
    await opened.wait_for_text("Теперь можно")
    second = await opened.run("boom")
    await opened.wait_for_text("The block failed")
    await page.reload()
    await opened.wait_for_text("The block failed")
    await page.go_back()
    await opened.wait_for_text("Теперь можно")
    assert page.url.endswith(f"/runs/{first}")
    other = await open_page(browser, shared_dev, f"/runs/{second}", locale="en-US")
    await other.wait_for_text("The block failed")
    missing = await open_page(browser, shared_dev, "/runs/20200101-none", locale="en-US")
    await missing.wait_for_text("no recording in", "#status")


async def test_runs_are_found_and_repeated_with_their_faults(
    browser: Browser, shared_dev: Dev
) -> None:
    """The list shows block, fault, outcome and duration; a repeated run has fault and seed."""
    opened = await open_page(browser, shared_dev, locale="en-US")
    page = opened.page
    await page.select_option("#block", "later")
    await page.click("#wrong summary")
    await page.select_option("#fault", "rate_limit")
    await page.fill("#seed", "7")
    await opened.run("later")
    await opened.wait_for_text("The block is completed")
    await page.select_option("#fault", "")
    await page.fill("#search", "later rate completed")
    await expect(page.locator("#history a").first).to_contain_text("Rate limit with Retry-After")
    await page.fill("#search", "nothing like that")
    await expect(page.locator("#history")).to_have_text("No run matches.")
    await page.fill("#search", "")
    before = page.url
    await page.click("button[data-do=again]")
    await page.wait_for_url(lambda url: url != before)
    await opened.wait_for_text("The block is completed")
    await expect(page.locator("#chat-head")).to_contain_text("Rate limit")
    await expect(page.locator("#chat-head")).to_contain_text("seed 7")
    await page.click("button[data-do=edit]")
    assert await page.input_value("#fault") == "rate_limit"
    assert await page.input_value("#seed") == "7"
    assert opened.console_errors == []


async def test_a_replay_shows_what_the_current_code_changes(browser: Browser, dev: Dev) -> None:
    """The same code matches; after a change the page shows the difference."""
    opened = await open_page(browser, dev, locale="en-US")
    page = opened.page
    await opened.run("later")
    await opened.wait_for_text("The block is completed")
    await page.click("button[data-do=replay]")
    await opened.wait_for_text("The current code behaves as recorded.", "#replay")
    code = BLOCKS.read_text(encoding="utf-8")
    (dev.folder / "blocks.py").write_text(code.replace("Теперь можно", "Готово"), encoding="utf-8")
    # The page may be too slow to show that the app starts.
    dev.process.wait_for("changed")
    dev.process.wait_for("/blocks/")
    await page.wait_for_selector(".phase.ready")
    await page.click("button[data-do=replay]")
    await opened.wait_for_text("The current code behaves differently", "#replay")
    await expect(page.locator("#replay .removed")).to_contain_text("Теперь можно")
    await expect(page.locator("#replay .added")).to_contain_text("Готово")
    await opened.screenshot("replay")
    assert opened.console_errors == []


async def test_inputs_are_saved_by_name(browser: Browser, shared_dev: Dev) -> None:
    """In a file that `trigger --file` reads; they can be loaded and deleted."""
    opened = await open_page(browser, shared_dev, locale="en-US")
    page = opened.page
    await page.get_by_label("Номер карты").fill("4111")
    await page.fill("input[name=name]", "Олег")
    await page.click("#saved summary")
    await page.fill("#new-name", "with a card")
    await page.click("#save-inputs")
    await opened.wait_for_text("Saved as inputs", "#saved-status")
    kept = shared_dev.folder / "inputs" / "loan" / "with a card.json"
    assert json.loads(kept.read_text(encoding="utf-8"))["name"] == "Олег"
    await page.fill("input[name=name]", "Другой")
    await page.select_option("#saved-name", "")
    await page.select_option("#saved-name", "with a card")
    await expect(page.locator("input[name=name]")).to_have_value("Олег")
    await page.fill("#new-name", ".hidden")
    await page.click("#save-inputs")
    await opened.wait_for_text("cannot be the name of a file", "#saved-status")
    await page.click("#delete-inputs")
    await expect(page.locator("#saved-name option")).to_have_count(1)
    assert not kept.exists()


async def test_a_dialog_is_saved_as_markdown(browser: Browser, shared_dev: Dev) -> None:
    """Block, outcome, inputs, messages and what happened between them."""
    opened = await open_page(browser, shared_dev, locale="en-US")
    page = opened.page
    await opened.run("later")
    await opened.wait_for_text("The block is completed")
    await page.evaluate(
        "() => { URL.createObjectURL = blob => (window.saved = blob.text(), 'data:text/plain,') }"
    )
    await page.click("button[data-do=transcript]")
    saved = await page.evaluate("window.saved")
    assert saved.startswith("# later\n")
    assert "**bot:** Теперь можно" in saved
    assert "> handler will run again in 10 min" in saved


async def test_inputs_of_another_block_that_come_late_are_not_used(
    browser: Browser, shared_dev: Dev
) -> None:
    """Two blocks have inputs of one name; the response for the first block is the later one."""
    opened = await open_page(browser, shared_dev)
    page = opened.page
    released = asyncio.Event()

    async def answer_late(route: Route) -> None:
        await released.wait()
        await route.fulfill(json={"mine": {"name": "Анна"}})

    await page.route("**/playground/inputs/loan", answer_late)
    await page.route(
        "**/playground/inputs/pay", lambda route: route.fulfill(json={"mine": {"amount": 7500}})
    )
    await page.select_option("#block", "later")
    async with page.expect_request("**/playground/inputs/loan"):
        await page.select_option("#block", "loan")
    await page.select_option("#block", "pay")
    await expect(page.locator("#saved-count")).to_have_text("1")
    async with page.expect_response("**/playground/inputs/loan"):
        released.set()
    await page.evaluate("new Promise(requestAnimationFrame)")
    await page.locator("#saved summary").click()
    await page.select_option("#saved-name", "mine")
    await expect(page.locator("input[name=amount]")).to_have_value("7500")


LATE_LINES = """
// Without a shared worker the page has a connection of its own. What happens in a run waits there.
delete window.SharedWorker;
const late = [];
window.EventSource = class extends EventSource {
  set onmessage(handle) {
    super.onmessage = (event) => {
      const { kind } = JSON.parse(event.data);
      if (kind === "line" || kind === "typing") late.push({ kind, show: () => handle(event) });
      else handle(event);
    };
  }
};
const lines = () => late.filter(({ kind }) => kind === "line").length;
window.arrived = async (number) => {
  while (lines() < number) await new Promise((resolve) => setTimeout(resolve, 20));
};
window.release = () => {
  for (const { show } of late.splice(0)) show();
  return document.querySelectorAll("#chat li").length;
};
"""
OPEN_RUN = """
run => {
  history.pushState(null, "", `/runs/${run}`);
  dispatchEvent(new Event("popstate"));
}
"""
LOAN = {"name": "Анна", "amount": 1000, "months": 10, "pay": {"kind": "cash", "change": 0}}


async def test_lines_that_come_after_the_run_was_fetched_are_shown_once(
    browser: Browser, shared_dev: Dev
) -> None:
    """On a busy machine the messages of the server are later than its response."""
    context = await open_context(browser)
    page = await context.new_page()
    await page.add_init_script(LATE_LINES)
    await open_tab(page, shared_dev)
    record = shared_dev.run("loan", inputs=LOAN)
    await page.evaluate("number => arrived(number)", len(record["lines"]) + 1)  # one is of the run
    await page.evaluate(OPEN_RUN, record["run"]["id"])
    await expect(page.locator("#chat-head .outcome")).to_have_class("outcome ok")
    shown = await page.locator("#chat li").count()
    assert await page.evaluate("release()") == shown
