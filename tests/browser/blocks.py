"""The app that the tests of the page run."""

import asyncio
import time
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from pathlib import Path
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field, HttpUrl

from vertexkit import App, Context, Retry, WaitTimeout

app = App()
UNBLOCKED = Path("unblocked")
"""A test writes this file when the blocked event loop has been reported."""


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


async def find_rate(amount: int, months: int) -> float:
    await asyncio.sleep(0)
    return 0.12 if amount > months else 0.1


@app.block("loan", title="Кредитный калькулятор", description="Считает ежемесячный платёж.")
async def loan(ctx: Context, request: Loan) -> dict[str, object]:
    await ctx.send_message(f"Здравствуйте, {request.name}! Считаю… 👋")
    ctx.log.info("counting", amount=request.amount)
    await ctx.step("rate", find_rate, request.amount, months=request.months)
    await ctx.send_message(f"Платёж: {request.amount / request.months:.0f} ₽ в месяц")
    return {"got": request.model_dump(exclude_unset=True)}


class Order(BaseModel):
    """Every kind of field."""

    shipping: Address
    billing: Address | None = None
    price: Decimal = Field(gt=0, examples=["12.50"])
    rate: float = Field(0.5, gt=0, lt=1)
    day: date | None = None
    at: datetime | None = None
    hour: time_of_day | None = None
    span: timedelta = timedelta(hours=1)
    key: UUID | None = None
    link: HttpUrl | None = None
    agreed: bool
    either: int | str | list[int] = 5
    tags: list[str] = Field(["a", "b"], description="Очень подробное описание поля. " * 20)
    note: str | None = None


@app.block("order", title="Заказ")
async def order(ctx: Context, request: Order) -> dict[str, object]:
    return {"got": request.model_dump(mode="json", exclude_unset=True)}


class Payment(BaseModel):
    amount: int = Field(gt=0, title="Сумма", examples=[100])
    method: Literal["card", "cash"] = "card"


@app.block("pay", title="Оплата", max_wait=30 * 24 * 3600)
async def pay(ctx: Context, amount: int = 100) -> dict[str, int]:
    ctx.event_url("payment")
    await ctx.send_message(f"К оплате: {amount} ₽", typing=False)
    try:
        payment = await ctx.wait_for("payment", Payment, timeout=3600)
    except WaitTimeout:
        await ctx.send_message("Счёт просрочен.", typing=False)
        return {"paid": 0}
    await ctx.send_message("Спасибо!", typing=False)
    await ctx.sleep(timedelta(days=1))
    await ctx.send_message("Как вам покупка?", typing=False)
    return {"paid": payment.amount}


@app.block("many", title="Много сообщений")
async def many(ctx: Context, count: int = 300) -> None:
    for number in range(count):
        await ctx.send_message(f"{number}: <script>alert(1)</script> & Привет 👋", typing=False)


def misspelt(ctx: Context) -> object:
    return ctx.sned_message("x")  # pyrefly: ignore[missing-attribute]


@app.block("boom", title="Ошибка")
async def boom(ctx: Context) -> None:
    await ctx.send_message("Сейчас…", typing=False)
    misspelt(ctx)


def wait_for_file(path: Path) -> None:
    while not path.exists():
        time.sleep(0.05)


@app.block("blocks_loop", title="Блокирует цикл событий")
async def blocks_loop(ctx: Context) -> None:
    wait_for_file(UNBLOCKED)
    await ctx.send_message("Готово", typing=False)


@app.block("later", title="Позже")
async def later(ctx: Context) -> None:
    if ctx.attempt == 1:
        raise Retry(after=600, reason="not yet")
    await ctx.send_message("Теперь можно", typing=False)


@app.block("hang", title="Не заканчивается")
async def hang(ctx: Context) -> None:
    await ctx.send_message("Жду…", typing=False)
    await asyncio.Event().wait()
