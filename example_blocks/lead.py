"""A lead for a CRM: created once, although requests fail and processes die."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
from pydantic import BaseModel, Field

from vertexkit import App, BlockFailed, Context, Retry, http_client


class Lead(BaseModel):
    name: str = Field(min_length=1, max_length=200, title="Имя")
    phone: str = Field(pattern=r"^\+?[\d ()-]{7,20}$", title="Телефон", examples=["+7 900 1234567"])
    interest: str = Field(default="", max_length=2000, title="Что интересует")


class Created(BaseModel):
    lead_id: int = Field(title="Номер заявки")


@asynccontextmanager
async def lifespan(app: App) -> AsyncGenerator[httpx.AsyncClient]:
    url = os.environ.get("CRM_URL", "https://crm.example")
    key = os.environ.get("CRM_KEY", "")
    async with http_client(base_url=url, headers={"Authorization": f"Bearer {key}"}) as client:
        yield client


app = App(lifespan=lifespan)


@app.block("lead", title="Заявка в CRM", timeout=60, attempts=20)
async def lead(ctx: Context[httpx.AsyncClient], request: Lead) -> Created:
    async with ctx.or_say(5, "Записываю заявку…"):
        try:
            # If the handler runs again after a crash, the step returns the same number.
            lead_id = await ctx.retrying(3, on=httpx.TransportError).step(
                "lead", create_lead, ctx.state, ctx.execution_id, request
            )
        except httpx.HTTPError as error:
            raise Retry(after=60, reason="the CRM does not work") from error
    await ctx.send_message(f"Заявка № {lead_id} принята. Мы позвоним вам на {request.phone}.")
    return Created(lead_id=lead_id)


async def create_lead(client: httpx.AsyncClient, key: str, lead: Lead) -> int:
    # A request whose response was lost is sent again with the same key, and the CRM recognises it.
    response = await client.post("/leads", json=lead.model_dump(), headers={"Idempotency-Key": key})
    if response.status_code == 422:
        raise BlockFailed("lead_rejected", "CRM не приняла заявку.")
    return int(response.raise_for_status().json()["id"])
