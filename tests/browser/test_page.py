"""The playground's page, used as its visitor would."""

import json

import pytest
from playwright.async_api import Browser, expect

from tests.browser.conftest import LOAN, visit
from tests.playground.conftest import Dev, messages

pytestmark = pytest.mark.timeout(90)


async def test_from_the_open_page_to_a_saved_test(browser: Browser, dev: Dev) -> None:
    """A form made of the schema, a dialog as it happens, its story, its result, a test of it."""
    visitor = await visit(browser, dev)
    page = visitor.page
    assert await page.input_value("input[name=name]") == "Аня"
    await page.fill("input[name=name]", "Анастасия 👩‍🚀")
    await page.select_option("select[name=size]", label="L")
    await page.get_by_label("Срочно").check()
    await page.get_by_role("button", name="+ Добавить").click()
    await page.get_by_role("group", name="Метки").locator("input").fill("срочный")
    await page.get_by_role("combobox", name="Оплата").select_option(label="Cash")
    await page.get_by_label("Сдача с").fill("500")
    await visitor.run()
    await visitor.sees("Здравствуйте, Анастасия 👩‍🚀! Считаю… 👋")
    await visitor.sees("Блок завершён")
    await visitor.shot("light")
    await page.click("#tab-result")
    await visitor.sees("срочный", "#result")
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
    await visitor.sees("counting", "#logs")
    await page.click("#tab-timeline")
    await page.locator("#timeline summary").first.click()
    await visitor.sees('"token"', "#timeline")
    assert "eyJ" not in await page.content()
    await page.click("button[data-do=test]")
    await visitor.sees("Сохранено: tests/test_loan_", "#said")
    [saved] = (dev.folder / "tests").glob("test_loan_*.py")
    assert "Анастасия" in saved.read_text(encoding="utf-8")
    assert visitor.complaints == []


async def test_a_crash_is_seen_to_resume(browser: Browser, dev: Dev) -> None:
    """The process dies after the first message; the page shows it, and the rest comes once."""
    visitor = await visit(browser, dev, locale="en-US", color_scheme="dark")
    page = visitor.page
    await page.get_by_label("Номер карты").fill("4111")
    await page.click("#wrong summary")
    await page.select_option("#fault", "crash")
    await visitor.run()
    await visitor.sees("the process died; the run goes on in a new one")
    await visitor.sees("The block is complete")
    assert await page.locator("#chat .bubble").count() == 2
    await visitor.shot("dark")
    assert visitor.complaints == []


async def test_a_slip_is_shown_and_the_next_save_recovers(browser: Browser, dev: Dev) -> None:
    """The open page tells where the error is, does not hold the reload up, and keeps the form."""
    visitor = await visit(browser, dev)
    await visitor.page.fill("input[name=name]", "Боря")
    await visitor.page.get_by_label("Номер карты").fill("4111")
    (dev.folder / "blocks.py").write_text(LOAN.replace("app = App()", "app = = App()"))
    await visitor.sees("SyntaxError", "#problem")
    await visitor.sees("blocks.py:8", "#problem")
    await visitor.shot("broken")
    (dev.folder / "blocks.py").write_text(LOAN.replace("Здравствуйте", "Приветствую"))
    await visitor.page.wait_for_selector(".phase.ready")
    await expect(visitor.page.locator("#problem")).to_be_hidden()
    assert await visitor.page.input_value("input[name=name]") == "Боря"
    await visitor.run()
    await visitor.sees("Приветствую, Боря!")
    assert visitor.complaints == []


async def test_five_hundred_messages_are_text(browser: Browser, dev: Dev) -> None:
    """None is lost, none is markup, and the newest is in view."""
    visitor = await visit(browser, dev)
    await visitor.run("many")
    await visitor.sees("Блок завершён")
    bubbles = visitor.page.locator("#chat .bubble")
    assert await bubbles.count() == 500
    assert "499: <script>alert(1)</script> & Привет 👋" in await bubbles.last.inner_text()
    await expect(visitor.page.locator("#chat .note").last).to_be_in_viewport()
    assert visitor.complaints == []


async def test_a_narrow_screen_shows_all_of_it(browser: Browser, dev: Dev) -> None:
    """On a phone nothing is wider than the screen."""
    visitor = await visit(browser, dev, viewport={"width": 390, "height": 844})
    await visitor.page.get_by_label("Номер карты").fill("4111 " * 30)
    await visitor.run()
    await visitor.sees("Блок завершён")
    await visitor.shot("phone", whole=True)
    width = await visitor.page.locator("html").bounding_box()
    for part in ("main", "#chat", "#timeline", ".buttons"):
        box = await visitor.page.locator(part).bounding_box()
        assert width is not None
        assert box is not None
        assert box["x"] + box["width"] <= width["width"] + 1
    assert await visitor.page.locator("body").evaluate("e => e.scrollWidth") <= 390


async def test_runs_are_kept_and_can_be_taken_up_again(browser: Browser, dev: Dev) -> None:
    """After a reload the history is there; a run is opened, repeated, and edited from there."""
    visitor = await visit(browser, dev)
    page = visitor.page
    await page.get_by_label("Номер карты").fill("4111")
    await visitor.run()
    await visitor.sees("Блок завершён")
    await page.reload()
    await page.locator("#history button").first.click()
    await visitor.sees("Здравствуйте, Аня!")
    await page.click("button[data-do=again]")
    await expect(page.locator("#history button")).to_have_count(2)
    await visitor.sees("Блок завершён")
    await page.click("button[data-do=edit]")
    assert await page.get_by_label("Номер карты").input_value() == "4111"
    await page.click("#tab-json")
    raw = json.loads(await page.input_value("#json"))
    assert raw["pay"] == {"kind": "card", "number": "4111"}
    await page.fill("#json", json.dumps(raw | {"name": "JSON"}))
    await page.keyboard.press("Control+Enter")
    await visitor.sees("Здравствуйте, JSON!")
    assert visitor.complaints == []


async def test_what_is_missing_or_wrong_is_told_beside_the_form(browser: Browser, dev: Dev) -> None:
    """An empty field is named, bad JSON is not sent, a refused call says which field, errors have logs."""
    visitor = await visit(browser, dev, locale="en-US")
    page = visitor.page
    await visitor.run()
    await visitor.sees("Fill in: Номер карты", "#call-error")
    await page.click("#tab-json")
    await page.fill("#json", "{oops")
    await visitor.run()
    await visitor.sees("This is not JSON", "#json-error")
    await page.fill("#json", '{"name": "Аня", "amount": -5, "pay": {"kind": "cash", "change": 1}}')
    await visitor.run()
    await visitor.sees("amount: Input should be greater than 0")
    await visitor.run("boom")
    await visitor.sees("The block failed")
    await page.click("#tab-logs")
    await visitor.sees("ValueError: no such thing", "#logs")
    assert messages(dev.ended((dev.ask("/playground/runs")[1])[0]["id"])) == []


async def test_it_can_be_used_by_keyboard_in_two_languages(browser: Browser, dev: Dev) -> None:
    """Tabs go by arrows, every control has a name, and the language changes all words."""
    visitor = await visit(browser, dev)
    page = visitor.page
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
    assert visitor.complaints == []
