"""What axe finds on a page: violations of WCAG 2.2 AA."""

from pathlib import Path
from typing import Any

from playwright.async_api import Page

AXE = Path(__file__).with_name("axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
CHECK = """async rules => (await axe.run(document, {runOnly: rules, resultTypes: ['violations']}))
    .violations.map(found => [found.id, ...found.nodes.map(node => node.html.slice(0, 160))])"""


async def violations(page: Page) -> list[Any]:
    """The rules that the page violates, each with the elements."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE)
    return list(await page.evaluate(CHECK, RULES))
