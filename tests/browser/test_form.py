"""The form of every kind of field, and its way to JSON and back."""

import json
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.opened_page import open_page
from tests.playground.dev import Dev

pytestmark = [
    pytest.mark.timeout(90),
    pytest.mark.unmeasured,
    pytest.mark.usefixtures("pages"),
]
COMPLETE: dict[str, Any] = {
    "shipping": {"city": "Пермь", "street": None},
    "billing": {"city": "Томск", "house": 7},
    "price": 12.5,
    "rate": 0.25,
    "day": "2026-11-25",
    "at": "2026-11-25T18:30:00+03:00",
    "hour": "18:30:00",
    "span": "P1DT2H",
    "key": "123e4567-e89b-12d3-a456-426614174000",
    "link": "https://example.com/",
    "agreed": False,
    "either": [1, 2],
    "tags": [],
    "note": "",
}


async def show_json(page: Page) -> dict[str, Any]:
    await page.click("#tab-json")
    return dict(json.loads(await page.input_value("#json")))


@pytest.mark.parametrize(
    "inputs",
    [
        COMPLETE,
        COMPLETE
        | {"either": "text", "note": None, "billing": None, "price": "0.10", "tags": ["x"]},
        COMPLETE | {"either": 7, "day": "tomorrow", "rate": "half", "unknown": {"a": [None]}},
        {"shipping": {"city": "Пермь"}, "price": "1", "agreed": True},
    ],
    ids=["every field", "other variants", "what does not fit", "only required fields"],
)
async def test_json_to_form_and_back_loses_nothing(
    inputs: dict[str, Any], browser: Browser, shared_dev: Dev
) -> None:
    """Unknown members, null, empty values and values of other types stay what they are."""
    opened = await open_page(browser, shared_dev)
    page = opened.page
    await page.select_option("#block", "order")
    await page.click("#tab-json")
    await page.fill("#json", json.dumps(inputs))
    await page.click("#tab-form")
    await expect(page.locator("#inputs")).to_be_visible()
    assert await show_json(page) == inputs
    assert opened.console_errors == []


async def test_fields_are_named_and_explained(browser: Browser, shared_dev: Dev) -> None:
    """Models in models keep the names of their fields; limits, defaults and formats are shown."""
    opened = await open_page(browser, shared_dev, locale="en-US")
    page = opened.page
    await page.select_option("#block", "order")
    await expect(page.get_by_role("group", name="shipping")).to_be_visible()
    await expect(page.get_by_role("group", name="billing")).to_be_visible()
    assert await page.input_value("input[name=price]") == "12.50"
    form = page.locator("#inputs")
    for text in ("> 0 · < 1", "for example P1DT2H30M", '["a","b"]', "5 (default)"):
        await expect(form).to_contain_text(text)
    await expect(form.locator("details.folded")).to_have_count(1)
    await expect(page.locator("#run")).to_be_in_viewport()
    await page.click("#run")
    await opened.wait_for_text("Required: Agreed", "#call-error")
    await expect(page.locator("select[name=agreed]")).to_be_focused()
    await page.select_option("select[name=agreed]", "true")
    await page.fill("input[name=rate]", "1")
    await expect(page.locator("input[name=rate]")).to_have_attribute("aria-invalid", "true")
    await opened.screenshot("form")
    await page.fill("input[name=rate]", "")
    await opened.run()
    await opened.wait_for_text("The block is completed")
    assert await show_json(page) == {
        "shipping": {"city": "Пермь"},
        "price": "12.50",
        "agreed": True,
    }
    assert opened.console_errors == []


async def test_json_that_is_invalid_stays(browser: Browser, shared_dev: Dev) -> None:
    """The form does not replace a text that it cannot read."""
    opened = await open_page(browser, shared_dev, locale="en-US")
    page = opened.page
    await page.click("#tab-json")
    await page.fill("#json", "{oops")
    await page.click("#tab-form")
    await opened.wait_for_text("Invalid JSON", "#json-error")
    assert await page.input_value("#json") == "{oops"
    await expect(page.locator("#raw")).to_be_visible()
