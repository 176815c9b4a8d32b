"""A long job: month by month, with messages about its progress. It outlives a deployment."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated

import httpx
from pydantic import BaseModel, Field

from vertexkit import App, Context, http_client

MONTHS = 12


class Month(BaseModel):
    orders: int
    total: int


class Year(BaseModel):
    orders: int = Field(title="Заказов")
    total: int = Field(title="Сумма, ₽")


@asynccontextmanager
async def lifespan(app: App) -> AsyncGenerator[httpx.AsyncClient]:
    url = os.environ.get("SALES_URL", "https://sales.example")
    async with http_client(base_url=url, timeout=60) as client:
        yield client


app = App(lifespan=lifespan)


# Half an hour at most, and two at a time, so that the slow system is not overloaded.
@app.block("export", title="Итоги года", timeout=1800, concurrency=2)
async def export(
    ctx: Context[httpx.AsyncClient],
    year: Annotated[int, Field(ge=2000, le=2100, title="Год")],
) -> Year:
    steps = ctx.retrying(5, on=httpx.HTTPError, backoff=5)
    result = Year(orders=0, total=0)
    for month in range(1, MONTHS + 1):
        # Each month is a step. If the service stops here, the next process runs this handler from
        # the top: finished months and their messages come from the journal, and the rest follows.
        found = await steps.step(f"month {month}", read_month, ctx.state, year, month)
        result.orders += found.orders
        result.total += found.total
        if month % 3 == 0 and month < MONTHS:
            await ctx.send_message(f"Готово {month} месяцев из {MONTHS}…")
    await ctx.send_message(f"За {year} год: заказов {result.orders}, сумма {result.total} ₽.")
    return result


async def read_month(client: httpx.AsyncClient, year: int, month: int) -> Month:
    response = await client.get(f"/sales/{year}/{month}")
    return Month.model_validate_json(response.raise_for_status().content)
