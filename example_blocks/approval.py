"""An approval: a colleague decides, and the dialog continues without them at the deadline."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated

import httpx
from pydantic import BaseModel, Field

from vertexkit import App, Context, WaitTimeout, http_client


class Decision(BaseModel):
    """What the colleague's system sends to the URL that it has received."""

    approved: bool
    comment: str = Field(default="", max_length=500)


class Outcome(BaseModel):
    approved: bool = Field(title="Скидка одобрена")
    decided: bool = Field(title="Руководитель ответил")
    comment: str = Field(default="", title="Комментарий руководителя")


@asynccontextmanager
async def lifespan(app: App) -> AsyncGenerator[httpx.AsyncClient]:
    url = os.environ.get("APPROVALS_URL", "https://approvals.example")
    async with http_client(base_url=url) as client:
        yield client


app = App(lifespan=lifespan)


@app.block("approval", title="Согласование скидки", timeout=60)
async def approval(
    ctx: Context[httpx.AsyncClient],
    discount: Annotated[int, Field(ge=1, le=90, title="Скидка, %")],
    hours: Annotated[float, Field(gt=0, le=72, title="Срок ответа, часов")] = 4,
) -> Outcome:
    steps = ctx.retrying(3, on=httpx.HTTPError)
    text = f"Клиент просит скидку {discount} %. Срок ответа: {hours:g} ч."
    await steps.step("request", send_request, ctx.state, text, ctx.event_url("decision"))
    await ctx.send_message("Согласую скидку с руководителем. Напишу, как только он ответит.")
    try:
        decision = await ctx.wait_for("decision", Decision, timeout=timedelta(hours=hours))
    except WaitTimeout:
        await ctx.send_message("Руководитель пока не ответил. Продолжим без скидки.")
        return Outcome(approved=False, decided=False)
    await ctx.send_message("Скидка одобрена!" if decision.approved else "Скидку не одобрили.")
    return Outcome(approved=decision.approved, decided=True, comment=decision.comment)


async def send_request(client: httpx.AsyncClient, text: str, decision_url: str) -> None:
    response = await client.post("/requests", json={"text": text, "decision_url": decision_url})
    response.raise_for_status()
