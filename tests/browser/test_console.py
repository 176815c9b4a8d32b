"""The operators' console in the browser: what it shows, what it changes, for everyone."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.browser.accessibility import violations
from tests.browser.opened_page import OpenPage, open_context
from tests.ingress.served_app import Edge, Hold, served
from tests.reserved_port import reserved_port
from vertexkit import App, Context

pytestmark = [
    pytest.mark.timeout(150),
    pytest.mark.unmeasured,
    pytest.mark.usefixtures("pages"),
]
REFRESH = "document.dispatchEvent(new Event('visibilitychange'))"
"""Lets the page ask at once, instead of two seconds later."""


def make_app(hold: Hold, **options: Any) -> App:
    """A block with a step, one that waits for an event, one that is left to an operator."""
    app = App(**options)

    @app.block("loan", title="Кредит", rate="100/second")
    async def loan(ctx: Context) -> dict[str, float]:
        await ctx.send_message("Считаю…", typing=False)
        return await ctx.step("look_up_rate", look_up_rate)

    async def look_up_rate() -> dict[str, float]:
        return {"rate": 12.5}

    @app.block("payment")
    async def payment(ctx: Context) -> int:
        return await ctx.wait_for("paid", int, timeout=3600)

    @app.block("lead", on_park="leave")
    async def lead(ctx: Context) -> str:
        return "stored"

    return app


class Operated:
    """A served app whose console is open in the browser."""

    def __init__(self, edge: Edge, ops_port: int, browser: Browser) -> None:
        self.edge = edge
        self.url = f"http://127.0.0.1:{ops_port}/console/"
        self._browser = browser

    async def open(self, query: str = "", **options: object) -> OpenPage:
        """Open the console in English, unless the options name another language."""
        context = await open_context(self._browser, **{"locale": "en-US"} | options)
        opened = OpenPage(await context.new_page())
        await opened.page.goto(self.url + query)
        await opened.page.wait_for_selector("#phase.ready")
        return opened

    async def call(self, block: str) -> tuple[str, str]:
        """Call a block; returns its token and its execution."""
        token = self.edge.platform.issue(block)
        return token, (await self.edge.call(block, token)).execution

    async def parked(self) -> tuple[str, str]:
        """An execution that is parked, because its completion fails."""
        self.edge.platform.fail("complete", status=503)
        token, execution = await self.call("lead")
        await self.edge.settled(execution)
        return token, execution


@pytest.fixture(scope="module")
async def operated(browser: Browser) -> AsyncIterator[Operated]:
    """A service whose console can change executions."""
    with reserved_port() as port:
        settings: dict[str, Any] = {"ops_port": port, "console": "write", "complete_patience": 0.0}
        async with served(make_app, **settings) as edge:
            yield Operated(edge, port, browser)


async def choose(page: Page, execution: str, state: str = "") -> None:
    """Show the executions of a state, and open one of them."""
    await page.click(f'#states button[data-state="{state}"]')
    await page.click(f'#list a[data-execution="{execution}"]')
    await page.wait_for_selector("#rows .entry")


@pytest.mark.parametrize(
    "language, scheme, width",
    [("en-US", "light", 1440), ("ru-RU", "dark", 390)],
    ids=["en light desktop", "ru dark phone"],
)
async def test_axe_finds_nothing_in_the_console(
    language: str, scheme: str, width: int, operated: Operated
) -> None:
    """WCAG 2.2 AA holds for the list, an execution, the question, the workers and the limits."""
    _, execution = await operated.parked()
    viewport = {"width": width, "height": 900}
    opened = await operated.open(
        locale=language, color_scheme=scheme, viewport=viewport, bypass_csp=True
    )
    page = opened.page
    await choose(page, execution, "parked")
    await page.locator("#rows .entry").last.click()
    await page.click("#more-filters summary")
    await page.get_by_role("button", name=re.compile("Show results|Показать результаты")).click()
    name = f"console-{language[:2]}-{scheme}-{width}"
    await opened.screenshot(f"{name}-question")
    assert await violations(page) == []
    await page.click("#ask-yes")
    await page.wait_for_selector("#contents:not([hidden])")
    await page.get_by_role("button", name=re.compile("Show log|Показать строки лога")).click()
    await page.click("#ask-yes")
    await expect(page.locator("#log code")).to_have_text(f"grep {execution}")
    await opened.screenshot(name, whole=True)
    assert await violations(page) == []
    await page.click("#tab-workers")
    await opened.screenshot(f"{name}-workers", whole=True)
    await page.click("#tab-service")
    await opened.screenshot(f"{name}-service", whole=True)
    assert await violations(page) == []
    assert opened.console_errors == []


async def test_a_parked_execution_is_retried_after_a_question(operated: Operated) -> None:
    """Cancel changes nothing; with Retry its result is sent again, and the page shows the end."""
    token, execution = await operated.parked()
    opened = await operated.open()
    page = opened.page
    await choose(page, execution, "parked")
    await expect(page.locator("#head")).to_contain_text("parked: unreachable")
    await page.get_by_role("button", name="Retry", exact=True).click()
    await page.click("#ask-no")
    await expect(page.locator("#ask")).to_be_hidden()
    assert operated.edge.platform.activation(token).completions == []
    await page.get_by_role("button", name="Retry", exact=True).click()
    await page.click("#ask-yes")
    await expect(page.locator("#status")).to_have_text("The service sends the result again.")
    assert await operated.edge.completed(token) == {"result": "stored"}
    await operated.edge.until(
        lambda: operated.edge.happened.count(("settled", execution)) == 2  # parked, then completed
    )
    await page.evaluate(REFRESH)
    await expect(page.locator("#head .outcome")).to_have_text("completed")
    await expect(page.locator("#rows")).to_contain_text("retried by an operator")
    assert opened.console_errors == []


async def test_an_event_is_sent_to_an_execution_that_waits(operated: Operated) -> None:
    """Data that is not JSON is reported; then the block is completed with the event's data."""
    token, execution = await operated.call("payment")
    opened = await operated.open(f"?execution={execution}")
    page = opened.page
    await page.get_by_role("button", name="Send event paid").click()
    await page.fill("#ask textarea", "{")
    await page.click("#ask-yes")
    await expect(page.locator("#ask-error")).to_contain_text("Invalid JSON")
    await page.fill("#ask textarea", "7500")
    await page.click("#ask-yes")
    await expect(page.locator("#status")).to_have_text("The handler receives the event.")
    assert await operated.edge.completed(token) == {"result": 7500}


async def test_an_earlier_answer_that_comes_late_is_not_shown(operated: Operated) -> None:
    """The page asks again when an operator acts, and shows what it asked for last."""
    token, execution = await operated.call("payment")
    opened = await operated.open(f"?execution={execution}")
    page = opened.page
    await expect(page.locator("#rows")).to_contain_text("paid")
    asked, released = asyncio.Event(), asyncio.Event()

    async def answer(route: Route) -> None:
        if asked.is_set():
            await route.continue_()
            return
        response = await route.fetch()
        asked.set()
        await released.wait()
        await route.fulfill(response=response)

    await page.route(f"**/api/executions/{execution}", answer)
    await page.evaluate(REFRESH)
    await asked.wait()
    await page.get_by_role("button", name="Send event paid").click()
    await page.fill("#ask textarea", "7500")
    await page.click("#ask-yes")
    assert await operated.edge.completed(token) == {"result": 7500}
    await operated.edge.settled(execution)
    await page.evaluate(REFRESH)
    await expect(page.locator("#head .outcome")).to_have_text("completed")
    async with page.expect_response(f"**/api/executions/{execution}"):
        released.set()
    await page.evaluate("new Promise(requestAnimationFrame)")
    assert await page.locator("#head .outcome").inner_text() == "completed"


async def test_the_list_is_live_and_its_address_survives_a_reload(operated: Operated) -> None:
    """A new execution appears without a reload; filters and the execution are in the address."""
    opened = await operated.open()
    page = opened.page
    await page.select_option("#f-block", "loan")
    _, execution = await operated.call("loan")
    await operated.edge.settled(execution)
    await page.wait_for_selector(f'#list a[data-execution="{execution}"]')  # by itself
    await choose(page, execution)
    assert f"block=loan&execution={execution}" in page.url
    assert not await page.locator("#rows").get_by_text("rate").filter(has_text="12.5").count()
    await page.reload()
    await expect(page.locator("#head h1")).to_contain_text(execution)
    await expect(page.locator("#f-block")).to_have_value("loan")
    await expect(page.locator("#rows")).to_contain_text("step look_up_rate")
    await expect(page.locator("#figures .figure")).to_have_count(8)
    assert "Считаю" not in await page.content()
    assert opened.console_errors == []
