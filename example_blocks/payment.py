"""A payment: an invoice of a provider, and a durable wait for the provider's call."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated, Literal

import httpx
from pydantic import BaseModel, Field

from vertexkit import App, BlockFailed, Context, WaitTimeout, http_client

PAYMENT_TIMEOUT = timedelta(hours=2)


class Payment(BaseModel):
    """What the provider sends. Anything else is answered with 422."""

    status: Literal["paid", "cancelled"]
    amount: int = Field(ge=0)


class Receipt(BaseModel):
    status: Literal["paid", "cancelled", "expired"] = Field(title="Оплата")
    amount: int = Field(default=0, title="Оплачено, ₽")


@asynccontextmanager
async def lifespan(app: App) -> AsyncGenerator[httpx.AsyncClient]:
    url = os.environ.get("PAYMENTS_URL", "https://payments.example")
    key = os.environ.get("PAYMENTS_KEY", "")
    async with http_client(base_url=url, headers={"Authorization": f"Bearer {key}"}) as client:
        yield client


app = App(lifespan=lifespan)


# timeout: the running time. The wait does not count, and it survives restarts and deployments.
@app.block("payment", title="Оплата", timeout=60, max_wait=3 * 24 * 3600)
async def payment(
    ctx: Context[httpx.AsyncClient], amount: Annotated[int, Field(gt=0, title="Сумма, ₽")]
) -> Receipt:
    steps, url = ctx.retrying(3, on=httpx.HTTPError), ctx.event_url("payment")
    try:
        link = await steps.step("invoice", create_invoice, ctx.state, ctx.execution_id, amount, url)
    except httpx.HTTPError as error:
        raise BlockFailed("no_invoice", "Сейчас оплатить нельзя. Попробуйте позже.") from error
    await ctx.send_message(f"Счёт на {amount} ₽: {link}")
    try:
        result = await ctx.wait_for("payment", Payment, timeout=PAYMENT_TIMEOUT)
    except WaitTimeout:
        await ctx.send_message("Счёт больше не действует.")
        return Receipt(status="expired")
    if result.status == "cancelled":
        await ctx.send_message("Оплата отменена.")
        return Receipt(status="cancelled")
    await ctx.send_message(f"Оплата {result.amount} ₽ получена. Спасибо!")
    return Receipt(status="paid", amount=result.amount)


async def create_invoice(client: httpx.AsyncClient, key: str, amount: int, callback: str) -> str:
    # The key lets the provider recognise a repetition: a retried request makes no second invoice.
    response = await client.post(
        "/invoices",
        json={"amount": amount, "callback_url": callback},
        headers={"Idempotency-Key": key},
    )
    return str(response.raise_for_status().json()["payment_url"])
