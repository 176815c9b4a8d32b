"""The results of a survey: reads the dialogs of a bot, and sums up their answers."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, Field

from vertexkit import App, BotOne, Context, ConversationDetails, Settings
from vertexkit.analytics import analyse_async

ZONE = "Europe/Moscow"


class Results(BaseModel):
    dialogs: int = Field(title="Диалогов")
    completed: float | None = Field(title="Доля завершённых")
    question: str | None = Field(default=None, title="Вопрос с оценкой")
    mean: float | None = Field(default=None, title="Средняя оценка")
    nps: float | None = Field(default=None, title="NPS")


@asynccontextmanager
async def lifespan(app: App) -> AsyncGenerator[BotOne]:
    platform = Settings.load().platform
    async with BotOne(platform.url, platform.login, platform.password) as bot:
        yield bot


app = App(lifespan=lifespan)


@app.block("survey", title="Итоги опроса", timeout=600, concurrency=2)
async def survey(
    ctx: Context[BotOne],
    bot_id: Annotated[int, Field(title="Номер бота с опросом")],
    days: Annotated[int, Field(ge=1, le=90, title="За сколько дней")] = 7,
) -> Results:
    async with ctx.or_say(3, "Собираю ответы…"):
        results = await ctx.step("results", sum_up, ctx.state, bot_id, days)
    text = f"Диалогов за {days} дн.: {results.dialogs}."
    if results.completed is not None:
        text += f" Завершено: {results.completed:.0%}."
    if results.question is not None:
        text += f" «{results.question}»: в среднем {results.mean:.1f}."
    await ctx.send_message(text)
    return results


async def sum_up(bot: BotOne, bot_id: int, days: int) -> Results:
    # The time is read in the step: as an argument, it would be another one in a second run.
    since = (datetime.now(UTC) - timedelta(days=days)).date()
    report = await analyse_async(dialogs(bot, bot_id, f"{since}"), ZONE)
    results = Results(dialogs=report.dialogs, completed=report.completion.rate)
    for question in [question for bot in report.by_bot for question in bot.questions]:
        if question.score is not None:
            results.question, results.mean = question.text, question.score.mean
            results.nps = question.score.nps
    return results


async def dialogs(bot: BotOne, bot_id: int, since: str) -> AsyncIterator[ConversationDetails]:
    async for listed in bot.v2.conversations(bot_id=bot_id, created_from=since):
        yield await bot.v2.conversation(listed.id)
