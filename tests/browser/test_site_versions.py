"""The switch of versions on a page of the manual that is opened from a folder of the disk."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from jinja2 import DictLoader, Environment
from playwright.async_api import Browser, Page

from docs.site import versions

SITE = Path(versions.__file__).parent
TEXTS = {
    "version": "Version",
    "stable": "stable",
    "unreleased": "This version is not released.",
    "old": "This version is old.",
    "newest": "See",
}
THEME = "<body>{% block content %}{% endblock %}{% block scripts %}{% endblock %}</body>"


def write_page(site: Path, version: str, language: str, name: str) -> None:
    """Write a page with the templates and the script of the site."""
    folder = site / version / language
    (folder / "_static").mkdir(parents=True, exist_ok=True)
    shutil.copy(SITE / "static/version-switch.js", folder / "_static")
    text = (SITE / "templates/page.html").read_text("utf-8")
    loader = DictLoader({"page.html": text, "!page.html": THEME})
    values: dict[str, Any] = {"version_texts": TEXTS, "version_folder": version}
    values |= {"pagename": name, "other_language": "ru", "pathto": lambda path, _: path}
    page = Environment(loader=loader).get_template("page.html").render(values)
    sidebar = (SITE / "templates/sidebar/version.html").read_text("utf-8")
    switch = Environment().from_string(sidebar).render(values)
    (folder / f"{name}.html").write_text(page.replace("<body>", f"<body>{switch}"), "utf-8")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site of three versions, the oldest of which lacks a page."""
    for version in ("latest", "0.2.0", "0.1.0"):
        for language in versions.LANGUAGES:
            write_page(tmp_path, version, language, "index")
            if version != "0.1.0":
                write_page(tmp_path, version, language, "blocks")
    versions.publish(tmp_path)
    return tmp_path


async def shown(page: Page) -> list[str]:
    """Return the texts of the switch."""
    return await page.locator(".version-switch a").all_text_contents()


async def test_readers_switch_between_versions(site: Path, browser: Browser, pages: None) -> None:
    """The switch leads to the same page of another version, or to its first one if it has none."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto((site / "latest/ru/blocks.html").as_uri())
    assert await shown(page) == ["latest", "0.2.0 (stable)", "0.1.0"]
    current = page.locator(".version-switch a[aria-current]")
    assert await current.all_text_contents() == ["latest"]
    await page.locator("summary").click()
    await page.get_by_role("link", name="0.2.0 (stable)").click()
    await page.wait_for_url("**/0.2.0/ru/blocks.html")
    await page.locator("summary").click()
    await page.get_by_role("link", name="0.1.0").click()
    await page.wait_for_url("**/0.1.0/ru/index.html")


async def test_other_versions_say_so(site: Path, browser: Browser, pages: None) -> None:
    """A page of an old or an unreleased version names the stable one; a stable page has no notice."""
    context = await browser.new_context()
    page = await context.new_page()
    notice = page.locator(".version-notice")
    for version, text in (
        ("latest", "This version is not released. See 0.2.0."),
        ("0.1.0", "This version is old. See 0.2.0."),
    ):
        await page.goto((site / version / "en/index.html").as_uri())
        assert await notice.text_content() == text
    await page.goto((site / "0.2.0/en/index.html").as_uri())
    assert await notice.is_hidden()
    await page.goto((site / "stable/en/blocks.html").as_uri())
    await page.wait_for_url("**/0.2.0/en/blocks.html")
