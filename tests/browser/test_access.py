"""The page for people who use a keyboard, a screen reader, a phone, or another language."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser
from pydantic_core import _pydantic_core

from tests.browser.accessibility import violations
from tests.browser.opened_page import OpenPage, open_page
from tests.playground.dev import Dev
from vertexkit.failure import FAILURE_MESSAGES

pytestmark = [
    pytest.mark.timeout(150),
    pytest.mark.unmeasured,
    pytest.mark.usefixtures("pages"),
]
PACKAGE = Path(__file__).parents[2] / "vertexkit"
SHARED = PACKAGE / "page" / "static"


async def show_everything(opened: OpenPage) -> None:
    """Open what the page can show: a form, faults, a run with an error, its timeline."""
    page = opened.page
    await page.select_option("#block", "order")
    await page.click("#wrong summary")
    await page.click("#saved summary")
    await page.select_option("#fault", "server_error")
    await opened.run("boom")
    await page.wait_for_selector("#chat .error-card")
    await page.wait_for_selector("#rows .kind-end")
    await page.locator("#rows .kind-message").first.click()
    await page.select_option("#block", "order")


@pytest.mark.parametrize(
    "language, scheme, size",
    [
        ("en-US", "light", (1440, 900)),
        ("ru-RU", "dark", (1440, 900)),
        ("en-US", "dark", (390, 844)),
        ("ru-RU", "light", (390, 844)),
    ],
    ids=["en light desktop", "ru dark desktop", "en dark phone", "ru light phone"],
)
async def test_axe_finds_nothing(
    language: str, scheme: str, size: tuple[int, int], browser: Browser, shared_dev: Dev
) -> None:
    """WCAG 2.2 AA holds for a failed run, the forms and a block that waits."""
    width, height = size
    opened = await open_page(
        browser,
        shared_dev,
        locale=language,
        color_scheme=scheme,
        viewport={"width": width, "height": height},
        bypass_csp=True,
    )
    await show_everything(opened)
    await opened.screenshot(f"access-{language[:2]}-{scheme}-{width}", whole=True)
    assert await violations(opened.page) == []
    await opened.run("pay")
    await opened.page.wait_for_selector(".wait-card")
    assert await violations(opened.page) == []
    await opened.page.click("button[data-do=stop]")


async def test_the_tab_key_passes_a_list_in_one_step(browser: Browser, shared_dev: Dev) -> None:
    """However many runs there are: the arrows move inside the list."""
    opened = await open_page(browser, shared_dev)
    page = opened.page
    for _ in range(3):
        shared_dev.run("later")
    await page.locator("#history a").nth(2).wait_for()
    await page.focus("#search")
    await page.keyboard.press("Tab")
    await page.keyboard.press("ArrowDown")
    assert await page.evaluate("document.activeElement.dataset.run") is not None
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.closest('#history')") is None
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_url(re.compile(r"/runs/"))


async def test_every_sentence_about_inputs_has_a_translation(
    browser: Browser, shared_dev: Dev
) -> None:
    """Those of the installed pydantic, and the failures of vertexkit."""
    opened = await open_page(browser, shared_dev)
    errors = _pydantic_core.list_all_errors()
    sentences = {error["message_template_python"] for error in errors}
    sentences |= {str(error.get("message_template_json", "")) for error in errors} - {""}
    sentences |= set(FAILURE_MESSAGES.values())
    left = await opened.page.evaluate(
        """async sentences => {
            const { problemText } = await import('/static/problems.js');
            return sentences.filter(sentence => /^[\\x00-\\x7f]*$/.test(problemText(sentence, 'ru').replace(/^{error}/, 'ю')));
        }""",
        sorted(sentences),
    )
    assert left == []


TEXT = re.compile(r"^  (\w+): \[(.*)\],$", re.MULTILINE)
USES = (r'translate\("(\w+)"', r'data-(?:text|label|placeholder)="(\w+)"', r'label: "([teh]_\w+)"')


@pytest.mark.parametrize("page", ["playground", "console"])
async def test_every_text_is_in_both_languages(page: str) -> None:
    """Each name that a page asks for exists, and each text has two languages."""
    own = PACKAGE / page / "static"
    files = [*SHARED.glob("*.js"), *own.glob("*.js"), *own.glob("*.html")]
    sources = {file.name: file.read_text(encoding="utf-8") for file in files}
    content = "".join(sources.values())
    texts = dict(TEXT.findall("".join(text for name, text in sources.items() if "texts" in name)))
    assert len(texts) > 150
    assert all(len(re.findall(r'"(?:[^"\\]|\\.)*"', pair)) == 2 for pair in texts.values())
    used = {name for pattern in USES for name in re.findall(pattern, content)}
    assert not used - texts.keys()
