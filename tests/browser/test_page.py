"""The playground's page, in a browser."""

import json

import pytest
from playwright.async_api import Browser, expect

from tests.browser.opened_page import BLOCKS, line_of, open_page
from tests.playground.dev import Dev, messages

pytestmark = [
    pytest.mark.timeout(90),
    pytest.mark.unmeasured,
    pytest.mark.usefixtures("pages"),
]
LOAN = BLOCKS.read_text(encoding="utf-8")


async def test_from_the_open_page_to_a_saved_test(browser: Browser, shared_dev: Dev) -> None:
    """A form from the schema, a live dialog, its timeline, its result, and a saved test."""
    opened = await open_page(browser, shared_dev)
    page = opened.page
    assert await page.input_value("input[name=name]") == "Аня"
    await page.fill("input[name=name]", "Анастасия 👩‍🚀")
    await page.select_option("select[name=size]", label="L")
    await page.get_by_label("Срочно").check()
    await page.get_by_role("button", name="+ Добавить").click()
    await page.get_by_role("group", name="Метки").locator("input").fill("срочный")
    await page.get_by_role("combobox", name="Оплата").select_option(label="Cash")
    await page.get_by_label("Сдача с").fill("500")
    await opened.run()
    await opened.wait_for_text("Здравствуйте, Анастасия 👩‍🚀! Считаю… 👋")
    await opened.wait_for_text("Блок завершён")
    await opened.screenshot("light")
    await page.click("#tab-result")
    await opened.wait_for_text("срочный", "#result")
    got = json.loads(await page.inner_text("#result pre"))["got"]
    assert got == {
        "name": "Анастасия 👩‍🚀",
        "amount": 100_000,
        "size": "L",
        "urgent": True,
        "tags": ["срочный"],
        "pay": {"kind": "cash", "change": 500},
    }
    await page.click("#tab-logs")
    await opened.wait_for_text("counting", "#logs")
    await page.click("#tab-timeline")
    await page.locator("#rows .kind-message").first.click()
    await opened.wait_for_text('"token"', "#detail")
    assert "eyJ" not in await page.content()
    await page.click("button[data-do=test]")
    await opened.wait_for_text("Сохранено в tests/test_loan_", "#status")
    [saved] = (shared_dev.folder / "tests").glob("test_loan_*.py")
    assert "Анастасия" in saved.read_text(encoding="utf-8")
    assert opened.console_errors == []


async def test_a_run_resumes_after_a_crash(browser: Browser, shared_dev: Dev) -> None:
    """The process is killed after the first message; the page shows it, and each message once."""
    opened = await open_page(browser, shared_dev, locale="en-US", color_scheme="dark")
    page = opened.page
    await page.get_by_label("Номер карты").fill("4111")
    await page.click("#wrong summary")
    await page.select_option("#fault", "crash")
    run = await opened.run()
    await opened.wait_for_text("The process was killed; a new one resumed the run.")
    await opened.wait_for_text("The block is completed")
    record = shared_dev.ended(run)
    sent = messages(record)
    # A second message that was just being sent is not sent again: its outcome is unknown.
    unknown = [line for line in record["lines"] if line.get("name") == "send_outcome_unknown"]
    assert len(set(sent)) == len(sent) >= (1 if unknown else 2)
    await expect(page.locator("#chat .bubble")).to_have_count(len(sent))
    await opened.screenshot("dark")
    assert opened.console_errors == []


async def test_an_error_is_shown_until_the_file_is_fixed(browser: Browser, dev: Dev) -> None:
    """The page shows the place of the error, does not block the reload, and keeps the form."""
    opened = await open_page(browser, dev)
    await opened.page.fill("input[name=name]", "Боря")
    await opened.page.get_by_label("Номер карты").fill("4111")
    (dev.folder / "blocks.py").write_text(LOAN.replace("app = App()", "app = = App()"))
    await opened.wait_for_text("SyntaxError", "#problem")
    await opened.wait_for_text(line_of("app = App()"), "#problem")
    await opened.screenshot("broken")
    (dev.folder / "blocks.py").write_text(LOAN.replace("Здравствуйте", "Приветствую"))
    await opened.page.wait_for_selector(".phase.ready")
    await expect(opened.page.locator("#problem")).to_be_hidden()
    assert await opened.page.input_value("input[name=name]") == "Боря"
    await opened.run()
    await opened.wait_for_text("Приветствую, Боря!")
    assert opened.console_errors == []


async def test_three_hundred_messages_are_text(browser: Browser, shared_dev: Dev) -> None:
    """No message is lost, no message is markup, and the newest is in view."""
    opened = await open_page(browser, shared_dev)
    await opened.run("many")
    await opened.wait_for_text("Блок завершён")
    bubbles = opened.page.locator("#chat .bubble")
    assert await bubbles.count() == 300
    assert "299: <script>alert(1)</script> & Привет 👋" in await bubbles.last.inner_text()
    await expect(opened.page.locator("#chat .note").last).to_be_in_viewport()
    await expect(opened.page.locator("#rows .kind-end")).to_be_in_viewport()
    assert opened.console_errors == []


async def test_the_page_fits_a_narrow_screen(browser: Browser, shared_dev: Dev) -> None:
    """On a phone nothing is wider than the screen."""
    opened = await open_page(browser, shared_dev, viewport={"width": 390, "height": 844})
    await opened.page.get_by_label("Номер карты").fill("4111 " * 30)
    await opened.run()
    await opened.wait_for_text("Блок завершён")
    await opened.screenshot("phone", whole=True)
    width = await opened.page.locator("html").bounding_box()
    for part in ("main", "#chat", "#timeline", ".buttons"):
        box = await opened.page.locator(part).bounding_box()
        assert width is not None
        assert box is not None
        assert box["x"] + box["width"] <= width["width"] + 1
    assert await opened.page.locator("body").evaluate("e => e.scrollWidth") <= 390


async def test_runs_are_kept_and_can_be_repeated(browser: Browser, shared_dev: Dev) -> None:
    """After a reload the list of runs is there; a run can be opened, repeated and edited."""
    opened = await open_page(browser, shared_dev)
    page = opened.page
    await page.get_by_label("Номер карты").fill("4111")
    await opened.run()
    await opened.wait_for_text("Блок завершён")
    await page.reload()
    await page.locator("#history a").first.click()
    await opened.wait_for_text("Здравствуйте, Аня!")
    before = await page.locator("#history a").count()
    await page.click("button[data-do=again]")
    await expect(page.locator("#history a")).to_have_count(before + 1)
    await opened.wait_for_text("Блок завершён")
    await page.click("button[data-do=edit]")
    assert await page.get_by_label("Номер карты").input_value() == "4111"
    await page.click("#tab-json")
    raw = json.loads(await page.input_value("#json"))
    assert raw["pay"] == {"kind": "card", "number": "4111"}
    await page.fill("#json", json.dumps(raw | {"name": "JSON"}))
    await page.keyboard.press("Control+Enter")
    await opened.wait_for_text("Здравствуйте, JSON!")
    assert opened.console_errors == []


async def test_errors_are_shown_next_to_the_form(browser: Browser, shared_dev: Dev) -> None:
    """Missing fields, invalid JSON, rejected inputs and failures are shown with their details."""
    opened = await open_page(browser, shared_dev, locale="en-US")
    page = opened.page
    await page.click("#run")
    await opened.wait_for_text("Required: Номер карты", "#call-error")
    await expect(page.get_by_label("Номер карты")).to_be_focused()
    await page.click("#tab-json")
    await page.fill("#json", "{oops")
    await page.click("#run")
    await opened.wait_for_text("Invalid JSON", "#json-error")
    await page.fill("#json", '{"name": "Аня", "amount": -5, "pay": {"kind": "cash", "change": 1}}')
    await opened.run()
    await opened.wait_for_text("amount: Input should be greater than 0")
    await opened.run("boom")
    await opened.wait_for_text("The block failed")
    await page.click("#tab-logs")
    await opened.wait_for_text("has no attribute 'sned_message'", "#logs")
    assert messages(shared_dev.ended((shared_dev.ask("/playground/runs")[1])[0]["id"])) == [
        "Сейчас…"
    ]


async def test_the_page_works_by_keyboard_in_two_languages(
    browser: Browser, shared_dev: Dev
) -> None:
    """Arrow keys change tabs, every control has a label, and the language changes all texts."""
    opened = await open_page(browser, shared_dev)
    page = opened.page
    await page.focus("#tab-timeline")
    await page.keyboard.press("ArrowRight")
    await expect(page.locator("#result")).to_be_visible()
    await page.click("#language")
    await expect(page.locator("#tab-timeline")).to_have_text("Timeline")
    await expect(page.locator("#run")).to_contain_text("Run")
    for control in await page.locator("button, input:not([type=hidden]), select, textarea").all():
        if await control.is_visible():
            name = await control.evaluate(
                "e => e.getAttribute('aria-label') || e.labels?.[0]?.textContent || e.textContent"
            )
            assert name.strip(), await control.evaluate("e => e.outerHTML")
    await page.click("#theme")
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert opened.console_errors == []
