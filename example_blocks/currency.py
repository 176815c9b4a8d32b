"""An exchange rate: a shared HTTP client, and failures that are explained to the user."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated

import httpx
from pydantic import BaseModel, Field, ValidationError

from vertexkit import App, BlockFailed, Context, Failure, http_client


class Rate(BaseModel):
    value: float = Field(alias="Value")
    nominal: int = Field(alias="Nominal", gt=0)


class Rates(BaseModel):
    by_code: dict[str, Rate] = Field(alias="Valute")


class Quote(BaseModel):
    rubles: float = Field(title="Рублей за единицу")


@asynccontextmanager
async def lifespan(app: App) -> AsyncGenerator[httpx.AsyncClient]:
    url = os.environ.get("RATES_URL", "https://www.cbr-xml-daily.ru")
    # One client for all executions, so that they share its connections.
    async with http_client(base_url=url, timeout=5) as client:
        yield client


async def apologise(ctx: Context, failure: Failure) -> None:
    await ctx.send_message(failure.message or "Что-то пошло не так. Попробуйте позже.")


app = App(lifespan=lifespan, on_failure=apologise)


@app.block("currency", title="Курс валюты", timeout=20)
async def currency(
    ctx: Context,
    code: Annotated[str, Field(pattern="^[A-Z]{3}$", title="Код валюты", examples=["USD"])],
) -> Quote:
    # As a step, the rate is stored: if the handler runs again after a crash, the rate is the same.
    rubles = await ctx.step("rate", fetch_rate, ctx.state, code)
    await ctx.send_message(f"1 {code} = {rubles:.2f} ₽")
    return Quote(rubles=rubles)


async def fetch_rate(client: httpx.AsyncClient, code: str) -> float:
    try:
        response = await client.get("/daily_json.js")
        rates = Rates.model_validate_json(response.raise_for_status().content)
    except (httpx.HTTPError, ValidationError) as error:
        raise BlockFailed("no_rates", "Курсы валют сейчас недоступны. Попробуйте позже.") from error
    rate = rates.by_code.get(code)
    if rate is None:
        raise BlockFailed("no_such_currency", f"Валюта {code} не найдена.")
    return rate.value / rate.nominal
