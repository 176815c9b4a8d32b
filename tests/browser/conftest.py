"""The page in Debian's Chromium; screenshots are left in `screenshots/`."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright

from tests.cli.conftest import Shell
from tests.playground.conftest import Dev

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
SHOTS = Path(os.environ.get("SCREENSHOTS", Path(__file__).parents[2] / "screenshots"))
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
    """`vertexkit dev` with a loan, many messages, and an error."""
    SHOTS.mkdir(exist_ok=True)
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here: apt install chromium")
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


class Visitor:
    """Somebody with the page open; what the browser complains of fails the test."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda said: self.complaints.append(said.text) if said.type == "error" else None,
        )
        page.set_default_timeout(20_000)

    async def run(self, block: str | None = None) -> None:
        """Choose a block and press Run."""
        if block is not None:
            await self.page.select_option("#block", block)
        await self.page.click("#run")

    async def sees(self, text: str, within: str = "#chat") -> None:
        """Wait until this is there."""
        await self.page.locator(within).get_by_text(text, exact=False).first.wait_for()

    async def shot(self, name: str, *, whole: bool = False) -> None:
        """Keep what it looks like."""
        await self.page.screenshot(path=SHOTS / f"{name}.png", full_page=whole)


async def visit(browser: Browser, dev: Dev, **options: object) -> Visitor:
    """Open the page, ready to run."""
    settings: dict[str, object] = {"locale": "ru-RU", "viewport": {"width": 1440, "height": 900}}
    context = await browser.new_context(**(settings | options))  # type: ignore[arg-type]
    visitor = Visitor(await context.new_page())
    await visitor.page.goto(dev.url)
    await visitor.page.wait_for_selector(".phase.ready")
    await visitor.page.wait_for_selector("#block option", state="attached")
    return visitor
