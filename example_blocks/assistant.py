"""An assistant: a language model that remembers the dialog, with a budget for each dialog."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated

from pydantic import BaseModel, Field

from vertexkit import App, Context, Failure
from vertexkit.models import Budget, ChatModel

INSTRUCTIONS = "Ты помощник магазина чая. Отвечай кратко, только о чае и заказах."
HISTORY_MESSAGES = 10
"""Messages that the model sees again. A dialog's memory has room for 64 KiB."""


class Turn(BaseModel):
    role: str
    content: str


class Answer(BaseModel):
    text: str = Field(title="Ответ")
    tokens: int = Field(title="Израсходовано токенов")


@asynccontextmanager
async def lifespan(app: App) -> AsyncGenerator[ChatModel]:
    # OPENAI_API_KEY and OPENAI_BASE_URL select the server: OpenAI, or any other with its API.
    budget = Budget(dialog_tokens=50_000, fallback="На сегодня это всё. Передаю вопрос коллегам.")
    async with ChatModel(os.environ.get("MODEL", "gpt-5-mini"), budget=budget) as model:
        yield model


async def apologise(ctx: Context, failure: Failure) -> None:
    await ctx.send_message("Сейчас ответить не получается. Попробуйте позже.")


app = App(lifespan=lifespan, on_failure=apologise)


@app.block("assistant", title="Помощник", timeout=120)
async def assistant(
    ctx: Context[ChatModel],
    question: Annotated[str, Field(min_length=1, max_length=2000, title="Вопрос")],
) -> Answer:
    history = await ctx.memory.get("history", list[Turn]) or []
    history.append(Turn(role="user", content=question))
    # The answer is sent while it is generated. After a crash it is continued, not paid twice.
    reply = await ctx.state.stream(
        ctx,
        [turn.model_dump() for turn in history],
        system=INSTRUCTIONS,
        max_completion_tokens=800,
    )
    if reply.finish_reason != "budget":
        history.append(Turn(role="assistant", content=reply.text))
        await ctx.memory.set("history", history[-HISTORY_MESSAGES:])
    return Answer(text=reply.text, tokens=reply.usage.tokens)
