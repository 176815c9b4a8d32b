"""A currency's rate, asked of another service: a shared HTTP client, and a failure that speaks."""

import os
from collections.abc import AsyncIterator
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


class Answer(BaseModel):
    rubles: float = Field(title="Рублей за единицу")


@asynccontextmanager
async def lifespan(app: App) -> AsyncIterator[httpx.AsyncClient]:
    url = os.environ.get("RATES_URL", "https://www.cbr-xml-daily.ru")
    # One client for all executions: they share its connections.
    async with http_client(base_url=url, timeout=5) as client:
        yield client


async def speak(ctx: Context, failure: Failure) -> None:
    await ctx.send_message(failure.message or "Что-то пошло не так. Попробуйте позже.")


app = App(lifespan=lifespan, on_failure=speak)


@app.block("currency", title="Курс валюты", timeout=20)
async def currency(
    ctx: Context,
    code: Annotated[str, Field(pattern="^[A-Z]{3}$", title="Код валюты", examples=["USD"])],
) -> Answer:
    # A step, so that a second run after a crash does not quote another rate than the first.
    rubles = await ctx.step("rate", fetch_rate, ctx.state, code)
    await ctx.send_message(f"1 {code} = {rubles:.2f} ₽")
    return Answer(rubles=rubles)


async def fetch_rate(client: httpx.AsyncClient, code: str) -> float:
    try:
        answer = await client.get("/daily_json.js")
        rates = Rates.model_validate_json(answer.raise_for_status().content)
    except (httpx.HTTPError, ValidationError) as error:
        raise BlockFailed("no_rates", "Курсы сейчас не узнать. Попробуйте позже.") from error
    rate = rates.by_code.get(code)
    if rate is None:
        raise BlockFailed("no_such_currency", f"Не знаю валюты {code}.")
    return rate.value / rate.nominal
