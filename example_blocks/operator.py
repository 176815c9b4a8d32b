"""Hand a dialog over: the bot stops, and an operator continues."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from vertexkit import App, Context, DialogUnknown, Forbidden, NotFound

app = App()

MAX_MESSAGE_CHARACTERS = 500


class Handed(BaseModel):
    handed: bool = Field(title="Диалог у оператора")


@app.block("operator", title="Позвать оператора", timeout=60)
async def operator(
    ctx: Context,
    uuid: Annotated[UUID | None, Field(title="UUID диалога, если он есть у бота")] = None,
    reason: Annotated[str, Field(title="Причина вызова")] = "Клиент просит оператора",
) -> Handed:
    await ctx.send_message("Приглашаю оператора, подождите минуту…")
    dialog = await ctx.step("data", ctx.dialog.conversation)
    answers = [f"{line.question}: {line.answer}" for line in dialog.data if not line.deleted]
    try:
        # The token does not contain the UUID. To find it takes a request, or several.
        uuid = uuid or await ctx.dialog.uuid()
        # Both calls are journalled: they are not repeated if the handler runs again after a crash.
        await ctx.dialog.send(uuid, "\n".join([reason, *answers])[:MAX_MESSAGE_CHARACTERS])
        await ctx.dialog.stop(uuid)
    except (DialogUnknown, Forbidden, NotFound):
        await ctx.send_message("Оператор сейчас недоступен. Продолжим здесь.")
        return Handed(handed=False)
    # Stopping the bot does not end this block; the block ends when the handler returns.
    return Handed(handed=True)
