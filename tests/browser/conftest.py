"""The page in the system's Chromium; screenshots are saved in `screenshots/`."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright

from tests.cli.shell import Shell
from tests.playground.dev import Dev
from tests.tools import TOOLS, reason

CHROMIUM = TOOLS["chromium"].path
SCREENSHOTS_FOLDER = Path(os.environ.get("SCREENSHOTS", Path(__file__).parents[2] / "screenshots"))
LOAN = """
from typing import Literal

from pydantic import BaseModel, Field

from vertexkit import App, Context

app = App()


class Address(BaseModel):
    city: str = Field(title="Город", examples=["Пермь"])
    street: str | None = Field(None, title="Улица")


class Card(BaseModel):
    kind: Literal["card"] = "card"
    number: str = Field(title="Номер карты")


class Cash(BaseModel):
    kind: Literal["cash"] = "cash"
    change: int = Field(title="Сдача с")


class Loan(BaseModel):
    name: str = Field(title="Имя", examples=["Аня"])
    amount: int = Field(gt=0, title="Сумма, ₽", examples=[100_000])
    months: int = Field(12, ge=1, le=360, title="Срок, мес.")
    size: Literal["S", "M", "L"] = Field("M", title="Размер")
    urgent: bool = Field(False, title="Срочно")
    address: Address | None = Field(None, title="Адрес")
    tags: list[str] = Field(default_factory=list, title="Метки")
    pay: Card | Cash = Field(title="Оплата", discriminator="kind")


@app.block("loan", title="Кредитный калькулятор", description="Считает ежемесячный платёж.")
async def loan(ctx: Context, request: Loan) -> dict[str, object]:
    await ctx.send_message(f"Здравствуйте, {request.name}! Считаю… 👋")
    ctx.log.info("counting", amount=request.amount)
    await ctx.step("rate", lambda: 0.12)
    await ctx.send_message(f"Платёж: {request.amount / request.months:.0f} ₽ в месяц")
    return {"got": request.model_dump(exclude_unset=True)}


@app.block("many", title="Много сообщений")
async def many(ctx: Context, count: int = 500) -> None:
    for number in range(count):
        await ctx.send_message(f"{number}: <script>alert(1)</script> & Привет 👋", typing=False)


@app.block("boom", title="Ошибка")
async def boom(ctx: Context) -> None:
    raise ValueError("no such thing")
"""


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Dev]:
    """`vertexkit dev` with three blocks: a loan, many messages, an error."""
    SCREENSHOTS_FOLDER.mkdir(exist_ok=True)
    if CHROMIUM is None:
        pytest.skip(reason("chromium"))
    shell = Shell(tmp_path)
    (tmp_path / "blocks.py").write_text(LOAN, encoding="utf-8")
    yield Dev(shell, "blocks:app")
    shell.close()


@pytest.fixture
async def browser(dev: Dev) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        await browser.close()


class OpenPage:
    """The open page; errors in the browser's console are collected."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.console_errors: list[str] = []
        page.on("pageerror", lambda error: self.console_errors.append(str(error)))
        page.on(
            "console",
            lambda line: self.console_errors.append(line.text) if line.type == "error" else None,
        )
        page.set_default_timeout(20_000)

    async def run(self, block: str | None = None) -> None:
        """Choose a block and press Run."""
        if block is not None:
            await self.page.select_option("#block", block)
        await self.page.click("#run")

    async def wait_for_text(self, text: str, within: str = "#chat") -> None:
        """Wait until the page shows this text."""
        await self.page.locator(within).get_by_text(text, exact=False).first.wait_for()

    async def screenshot(self, name: str, *, whole: bool = False) -> None:
        """Save a screenshot."""
        await self.page.screenshot(path=SCREENSHOTS_FOLDER / f"{name}.png", full_page=whole)


async def open_page(browser: Browser, dev: Dev, **options: object) -> OpenPage:
    """Open the page and wait until the app is ready."""
    settings: dict[str, object] = {"locale": "ru-RU", "viewport": {"width": 1440, "height": 900}}
    context = await browser.new_context(**(settings | options))  # type: ignore[arg-type]
    opened = OpenPage(await context.new_page())
    await opened.page.goto(dev.url)
    await opened.page.wait_for_selector(".phase.ready")
    await opened.page.wait_for_selector("#block option", state="attached")
    return opened
