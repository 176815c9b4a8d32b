"""A person takes over: the bot stops, and an operator has the dialog."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from vertexkit import App, Context, Forbidden, NotFound

app = App()

BRIEFLY = 500


class Handed(BaseModel):
    handed: bool = Field(title="Диалог у оператора")


@app.block("operator", title="Позвать оператора", timeout=60)
async def operator(
    ctx: Context,
    uuid: Annotated[UUID, Field(title="UUID диалога: переменная бота")],
    reason: Annotated[str, Field(title="Зачем нужен оператор")] = "Клиент просит оператора",
) -> Handed:
    await ctx.send_message("Зову оператора, одну минуту…")
    found = await ctx.step("data", ctx.dialog.conversation)
    told = [f"{answer.question}: {answer.answer}" for answer in found.data if not answer.deleted]
    try:
        # Each of the two is done once, even if this handler runs again after a crash.
        await ctx.dialog.send(uuid, "\n".join([reason, *told])[:BRIEFLY])
        await ctx.dialog.stop(uuid)
    except (Forbidden, NotFound):
        await ctx.send_message("Оператор сейчас недоступен. Продолжим здесь.")
        return Handed(handed=False)
    # Stopping the bot does not end this block: only its own completion does.
    return Handed(handed=True)
